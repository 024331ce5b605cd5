"""What each group of writers calls things: one row per meaning, one column per style.

The columns are the web (broad), two crowd workers (cuhk), careful describers (icfg) and formal ones (rstp); `|`
separates synonyms, the first is twice as likely. That writers disagree is the point: a model that learnt the words of
the web has to learn that slacks are pants.
"""

from __future__ import annotations

import numpy as np

from harness.datasets.synthetic.streams import pick

STYLES = ("broad", "cuhk", "icfg", "rstp")

_TABLE = {
    "colour": """
        black; black; black|dark; black; black
        white; white|off white; white|bright white; white|cream white; white
        grey; gray|heather gray; grey|gray|silver; grey|ash grey; gray
        red; red|scarlet; red|bright red; red|crimson; red
        dark red; burgundy; maroon|dark red; wine red|claret; deep red|dark red
        orange; orange; orange|bright orange; orange; orange
        yellow; yellow|mustard; yellow|gold; yellow|bright yellow; yellow
        green; green|emerald; green|bright green; green|grass green; green
        dark green  ; olive              ; army green|dark green|forest green; dark green|bottle green ; dark green
        blue; blue|royal blue; blue|bright blue; blue|sapphire blue; blue
        light blue; baby blue; light blue|sky blue|powder blue; pale blue|light blue; light blue
        dark blue; navy; dark blue|navy blue|navy; deep blue|dark blue; dark blue
        purple; purple; purple|violet; purple|plum; purple
        pink; pink|blush; pink|salmon pink|rose; pink; pink
        brown; brown|chocolate; brown|tan; brown|coffee coloured; brown
        beige; beige|camel; khaki|tan|cream; beige|sand coloured; khaki""",
    "hair_colour": """
        black; black; black|dark; black|jet black; black
        brown; brown|brunette; brown|dark brown|brunette; brown|chestnut; brown
        blond; blonde; blonde|blond|light; fair|golden; yellow
        red; ginger; red|reddish; auburn; red
        grey; gray|silver; grey|gray|white; grey|greying; gray""",
    "upper": """
        t-shirt; tee|graphic tee; t-shirt|tee shirt|shirt; t-shirt|round neck top; t-shirt
        tank top; tank|tank top; tank top|sleeveless shirt; sleeveless top|vest top; vest
        shirt; button down|shirt; shirt|button up shirt|dress shirt; shirt|collared shirt; shirt
        sweater; knit|sweater; sweater|pullover; jumper|pullover; sweater
        hoodie; hoodie; hoodie|hooded sweatshirt; hooded top|hoodie; hooded jacket
        jacket; jacket|bomber; jacket|zip up jacket; zipped jacket|jacket; jacket
        coat; coat|trench; long coat|coat|overcoat; overcoat|coat; coat""",
    "outer": """
        jacket; open jacket|blazer; jacket|open jacket; unzipped jacket|open jacket; jacket
        cardigan; cardigan|duster; cardigan|open sweater; long cardigan|cardigan; cardigan
        vest; gilet|vest; vest|sleeveless jacket; waistcoat; waistcoat""",
    "lower": """
        jeans; denim|jeans; jeans|denim pants; jeans|denim trousers; jeans
        trousers; chinos|pants; pants|slacks|dress pants; trousers; trousers|pants
        shorts; shorts; shorts|bermuda shorts; shorts|short trousers; shorts
        skirt; skirt; skirt|pleated skirt; skirt|flared skirt; skirt
        leggings; leggings; leggings|tights|tight pants; leggings|close fitting trousers; tights""",
    "shoes": """
        sneakers; sneakers|kicks; sneakers|tennis shoes|running shoes; trainers|sports shoes; sneakers
        shoes; loafers; shoes|dress shoes; leather shoes|flat shoes; shoes
        boots; boots; boots|knee boots; ankle boots|boots; boots
        sandals; sandals|slides; sandals|flip flops; open sandals|sandals; sandals""",
    "bag": """
        backpack; backpack; backpack|book bag|back pack; rucksack|backpack; backpack|schoolbag
        shoulder bag; crossbody|crossbody bag; shoulder bag|messenger bag|satchel; shoulder bag|cross body bag; satchel
        handbag; purse|tote; handbag|purse|hand bag; handbag; handbag
        suitcase; luggage; suitcase|rolling luggage; wheeled suitcase|trolley case; suitcase""",
    "hat": """
        cap; cap|dad cap; cap|baseball cap|ball cap; peaked cap|cap; cap
        beanie; beanie; beanie|knit hat|stocking cap; woollen hat|knitted hat; hat
        hat; sun hat|fedora; hat|brimmed hat; wide brimmed hat; hat""",
    "glasses": """
        glasses; glasses; glasses|eyeglasses; spectacles|glasses; glasses
        sunglasses; shades|sunglasses; sunglasses|dark glasses; sunglasses; sunglasses""",
    "held": """
        phone; phone|iphone; cell phone|phone|mobile device; mobile phone; mobile phone
        umbrella; umbrella; umbrella|closed umbrella; folded umbrella; umbrella
        cup; coffee|latte; cup|cup of coffee|drink; paper cup; cup
        book; book; book|notebook; book; book
        bottle; water bottle; bottle|bottle of water; plastic bottle; bottle""",
    "pattern": """
        striped; striped|stripe; striped|stripped; horizontally striped|banded; striped
        checked; plaid; plaid|checkered; checked|tartan; plaid
        printed; graphic|logo; graphic|patterned; printed; patterned""",
    "age": """
        child; kid; young|little; child; little
        young; young|twenties; young|younger; young; young
        middle-aged; adult; middle aged; middle-aged; middle-aged
        old; senior|elderly; older|elderly; elderly|aged; old""",
    "build": """
        slim; slim|skinny; thin|skinny|slender; slender|slightly built; thin
        heavy; plus size; heavy set|overweight|stocky; stout|broadly built; fat""",
    "gender": """
        man; man|guy|menswear; man|male|guy|gentleman; man|male; man
        woman; woman|girl|lady; woman|lady|female|girl; woman|lady; woman""",
    "hair": """
        short; short hair; short hair|close cropped hair; short hair; short hair
        bald; bald; no hair|a bald head; a bald head|a shaven head; a bald head
        shoulder-length; bob; shoulder length hair|medium length hair; shoulder-length hair; medium hair
        long; long hair; long hair|long flowing hair; long straight hair|long hair; long hair
        ponytail; ponytail; hair in a ponytail|a pony tail; hair tied in a ponytail; a ponytail
        bun; updo|bun; hair in a bun|hair pulled up; hair tied up in a bun; a bun""",
}


def _parse(rows: str) -> dict[tuple[str, str], list[str]]:
    table = {}
    for row in rows.strip().splitlines():
        value, *columns = (cell.strip() for cell in row.split(";"))
        for style, cell in zip(STYLES, columns, strict=True):
            phrases = cell.split("|")
            table[style, value] = phrases[:1] + phrases  # the first is twice as likely
    return table


LEXICON = {kind: _parse(rows) for kind, rows in _TABLE.items()}


def say(rng: np.random.Generator, style: str, kind: str, value: str, borrow: float = 0.0) -> str:
    """A phrase for `value` in the words of a style, with probability `borrow` in those of another one."""
    if borrow and rng.random() < borrow:
        style = pick(rng, [s for s in STYLES if s != style])
    return pick(rng, LEXICON[kind][style, value])


def article(phrase: str) -> str:
    """The phrase with `a` or `an`."""
    return ("an " if phrase[0] in "aeiou" else "a ") + phrase


def typo(rng: np.random.Generator, word: str) -> str:
    """The word with two letters exchanged, one lost, or one doubled."""
    if word == "pleated":
        return "pleaded"
    k = 1 + int(rng.random() * (len(word) - 2))
    kind = rng.random()
    if kind < 0.4:
        return word[:k] + word[k + 1] + word[k] + word[k + 2 :]
    return word[:k] + word[k + 1 :] if kind < 0.7 else word[:k] + word[k] + word[k:]
