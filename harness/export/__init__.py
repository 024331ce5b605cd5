"""Trained models as other libraries read them: one file per form, each with `write(model, folder)`.

Read `model.py` first: it has what is exported, and the plain CLIP that a method becomes where all of it folds.
`export.py` chooses the form and writes a folder whole or not at all. `api` and `cli` import this wing.
"""
