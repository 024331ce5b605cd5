"""Drawn pedestrians with written captions: stand-ins for licensed data, and a broad set to pre-train on.

Read `people.py` first: it says who can exist, and `families` who does; `view` what a camera can see of them; `picture/`
draws and `text/` says it; `domains` holds every knob; `write` puts it on disk in one of the published `layouts`,
`stand_in` loads it; `oracle` measures how well perfect eyes would do. The data sets beside this folder import it.
`VERSION` changes whenever one byte of the output changes.
"""

VERSION = "1"
