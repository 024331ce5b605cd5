"""Drawn pedestrians with written captions: stand-ins for licensed data, and a broad set to pre-train on.

`people` says who can exist and `families` who does; `view` what a camera can see of them; `draw` puts `figure`,
`clothes`, `extras`, `scene` and `camera` together; `captions`, `styles` and `words` say it; `domains` holds every knob;
`write` puts it on disk in one of the published `layouts`, `stand_in` loads it; `oracle` measures how well perfect eyes
would do.
`VERSION` changes whenever one byte of the output changes.
"""

VERSION = "1"
