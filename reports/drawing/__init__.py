"""How figures look: colours, sizes, text, marks and strips of pictures.

Read `style.py` first. Figures and the page import this; it imports matplotlib and seaborn.
"""
