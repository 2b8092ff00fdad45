"""The words the readers know, by what they do in a sentence."""

from functools import lru_cache

__all__ = [
    "BEINGS",
    "DETERMINERS",
    "FUNCTION_WORDS",
    "GAIN",
    "HAVE",
    "INDIVISIBLE",
    "LOSE",
    "MEASURES",
    "PRONOUNS",
    "UNSURE",
    "singular",
    "wordset",
]


def wordset(text: str) -> frozenset[str]:
    """Return the set of the words of ``text``."""
    return frozenset(text.split())


_IRREGULAR = {
    "people": "person", "persons": "person", "children": "child", "men": "man", "women": "woman",
    "mice": "mouse", "feet": "foot", "teeth": "tooth", "geese": "goose", "loaves": "loaf",
    "knives": "knife", "leaves": "leaf", "wolves": "wolf", "calves": "calf", "shelves": "shelf",
    "halves": "half", "wives": "wife", "lives": "life", "fish": "fish", "sheep": "sheep",
    "deer": "deer", "goldfish": "goldfish",
    "cookies": "cookie", "movies": "movie", "pies": "pie", "ties": "tie",
    "brownies": "brownie", "smoothies": "smoothie", "shoes": "shoe", "oxen": "ox",
    "buses": "bus", "glasses": "glass", "series": "series", "species": "species",
    "policemen": "policeman", "firemen": "fireman", "grandchildren": "grandchild",
    "calories": "calorie", "selfies": "selfie", "zombies": "zombie", "houses": "house",
    "horses": "horse", "roses": "rose", "vases": "vase", "blouses": "blouse", "nurses": "nurse",
    "purses": "purse", "cases": "case", "prizes": "prize", "mazes": "maze", "pizzas": "pizza",
    "potatoes": "potato", "tomatoes": "tomato", "axes": "axe", "caches": "cache",
}  # fmt: skip
_NOT_PLURAL = ("ss", "us", "is", "'s")


@lru_cache(maxsize=4096)
def singular(word: str) -> str:
    """Return the singular of a plural noun, or an empty string where ``word`` is not plural."""
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if len(word) < 4 or word[-1] != "s" or word.endswith(_NOT_PLURAL):
        return ""
    if word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(("shes", "ches", "xes", "sses", "zzes")):
        return word[:-2]
    return word[:-1]


HAVE = wordset(
    "has have had owns own owned starts started begins began contains contained is are was were"
)
GAIN = wordset(
    "gets got get receives received receive buys bought buy finds found find adds added add "
    "wins won win earns earned earn collects collected collect gains gained gain picks picked "
    "pick catches caught catch makes made make bakes baked bake borrows borrow saves saved "
    "save joined join joins arrived arrive arrives comes came come plants planted plant "
    "orders ordered order draws drew draw builds built build gathered gathers gather grew "
    "grow grows harvested harvests harvest"
)
LOSE = wordset(
    "eats ate eat eaten eating gives gave give given giving sells sold sell selling loses "
    "lost lose losing uses used use using spends spent spend spending donates donated donate "
    "drops dropped breaks broke broken throws threw thrown removes removed removing takes "
    "took taken lends lent lend drinks drank drunk consumed consumes burns burned "
    "destroyed deleted deletes discards discarded traded trades returned returns ran escaped "
    "escapes escape departed died flew shared shares stolen stole read tore popped cracked "
    "smashed wasted pays paid take borrowed leaked spilled spills"
)
UNSURE = wordset(
    "wants want wanted needs need needed should could would can may might must hopes hoped "
    "plans planned planning wishes wished trying tries tried cannot can't expects expected if "
    "will going goal target capacity supposed to"
)
PRONOUNS = wordset("he she they it we i you who")
DETERMINERS = wordset("the his her their its my our your these those all this that each every both")
FUNCTION_WORDS = wordset(
    "a an and are as at away be because been but by can did do does down during each every "
    "few for from had has have he her hers him his how i if in into is it its left less many "
    "more most much my not of off on one only onto or other our out over per she since so "
    "some such than that the their them then there these they this those to together total "
    "under until up was we were what when where which while who whose will with would you "
    "your about after again ago all also altogether before between both fewer now remaining "
    "still too twice"
)
BEINGS = wordset(
    "person child man woman boy girl student pupil teacher kid baby friend customer passenger "
    "guest player worker employee member visitor sister brother cousin nephew niece adult "
    "parent daughter son neighbor neighbour doctor nurse soldier sailor driver dancer singer "
    "classmate camper volunteer patient grandchild toddler teenager policeman fireman farmer "
    "waiter chef athlete runner swimmer musician pianist actor tourist resident citizen voter "
    "scout coach judge dog cat puppy kitten bird horse cow pig goat sheep chicken hen duck "
    "goose rabbit fish frog snake turtle elephant lion tiger bear monkey zebra giraffe wolf "
    "fox deer mouse rat hamster ant goldfish bee spider butterfly whale dolphin shark penguin "
    "parrot donkey calf lamb piglet pet animal"
)
INDIVISIBLE = BEINGS | wordset(
    "car bus truck bicycle bike train plane airplane boat ship balloon marble coin button "
    "chair ticket stamp book computer phone key house robot doll card die dice sock digit "
    "integer prime cell variable locker table window door seat room team toy sticker pencil "
    "pen crayon shirt hat bead brick bulb lamp letter word song vote medal trophy member cage "
    "bracelet necklace"
)
MEASURES = wordset(
    "inch foot yard mile meter metre kilometer kilometre centimeter centimetre cm km kg gram "
    "kilogram pound ounce ton gallon liter litre quart pint cup teaspoon tablespoon hour "
    "minute second day week month year cent dollar degree percent acre point page"
)
