"""Who or what a wish speaks of. "A smiling dog" names a smile as "a smiling face" does, but asks for nothing that an edit of a person's face
could do; "cat eyes", "dog-tired" and "like an angry bull" do. So what counts is whether an animal or a thing is what the whole wish is about."""

from __future__ import annotations

import re

ANIMALS = ("dog", "cat", "puppy", "kitten", "horse", "pony", "cow", "pig", "sheep", "goat", "lion", "tiger", "bear", "wolf", "fox", "rabbit",
           "hamster", "mouse", "rat", "squirrel", "elephant", "giraffe", "monkey", "gorilla", "owl", "eagle", "parrot", "duck", "chicken",
           "penguin", "fish", "shark", "whale", "dolphin", "frog", "snake", "lizard", "turtle", "dinosaur", "dragon", "unicorn", "spider",
           "bee", "butterfly", "crocodile", "panda", "koala", "donkey", "camel", "deer", "seal", "bird", "octopus", "snail")  # fmt: skip
OBJECTS = ("car", "truck", "bus", "train", "bike", "boat", "ship", "plane", "house", "door", "window", "wall", "roof", "tree", "flower", "rose",
           "leaf", "mountain", "river", "lake", "sea", "ocean", "sky", "cloud", "sun", "moon", "star", "street", "city", "village", "castle",
           "tower", "bridge", "road", "garden", "field", "table", "chair", "sofa", "bed", "lamp", "mirror", "clock", "phone", "laptop",
           "computer", "screen", "book", "letter", "box", "bag", "bottle", "cup", "glass of wine", "plate", "knife", "apple", "banana",
           "tomato", "cake", "pizza", "burger", "soup", "bread", "coffee", "shirt", "dress", "jacket", "coat", "skirt", "hat", "shoes",
           "boots", "gloves", "sweater", "umbrella", "guitar", "piano", "ball", "toy", "robot", "statue of a horse", "painting", "poster",
           "logo", "map", "shop", "restaurant", "church", "school", "office", "kitchen", "curtain", "carpet", "pillow", "candle", "ring",
           "sticker", "pumpkin", "snowman", "sign", "song", "story", "movie", "game", "day", "birthday", "ending", "family photo album")  # fmt: skip
CHINESE = ("狗", "小狗", "狗狗", "猫", "小猫", "猫咪", "马", "牛", "公牛", "羊", "猪", "狮子", "老虎", "熊", "狼", "狐狸", "兔子", "老鼠", "大象", "猴子", "猩猩",
           "鸟", "鹦鹉", "鸭子", "鸡", "企鹅", "鱼", "鲨鱼", "青蛙", "蛇", "乌龟", "恐龙", "龙", "熊猫", "猫头鹰", "汽车", "火车", "飞机", "自行车", "房子", "城堡", "桥",
           "街道", "城市", "厨房", "花园", "森林", "大海", "天空", "太阳", "月亮", "星星", "云", "山", "树", "花", "苹果", "蛋糕", "咖啡", "杯子", "椅子", "桌子", "灯",
           "电脑", "手机", "书", "故事", "歌", "电影", "音乐", "节日", "机器人", "雕像", "玩具", "雪人", "南瓜", "衣服", "裙子", "帽子", "鞋子", "贴纸", "海报",
           "标志")  # fmt: skip
_FURTHER = ("hound", "husky", "poodle", "bulldog", "dachshund", "labrador", "retriever", "corgi", "pug", "terrier", "kitty", "calf", "bull", "ox",
            "lamb", "piglet", "hog", "boar", "cub", "leopard", "cheetah", "panther", "jaguar", "lynx", "hyena", "jackal", "coyote", "hare", "bunny",
            "guinea pig", "gerbil", "beaver", "otter", "badger", "raccoon", "skunk", "hedgehog", "mole rat", "bat", "kangaroo", "rhino",
            "rhinoceros", "hippo", "zebra", "antelope", "moose", "elk", "reindeer", "buffalo", "bison", "llama", "alpaca", "ape", "chimp",
            "chimpanzee", "baboon", "orangutan", "sloth", "walrus", "goose", "swan", "hen", "rooster", "turkey", "pigeon", "dove", "crow", "raven",
            "falcon", "hawk", "vulture", "stork", "flamingo", "ostrich", "peacock", "sparrow", "canary", "seagull", "pelican", "goldfish", "trout",
            "salmon", "tuna", "eel", "squid", "crab", "lobster", "shrimp", "jellyfish", "toad", "tortoise", "alligator", "chameleon", "gecko",
            "cobra", "worm", "ant", "beetle", "wasp", "fly", "mosquito", "moth", "caterpillar", "ladybug", "scorpion", "animal", "pet", "insect",
            "bicycle", "motorcycle", "motorbike", "scooter", "van", "taxi", "tractor", "helicopter", "rocket", "spaceship", "ferry", "yacht",
            "building", "skyscraper", "cottage", "cabin", "hut", "palace", "temple", "cathedral", "farm", "barn", "factory", "station", "airport",
            "hotel", "bathroom", "bedroom", "room", "desk", "bench", "couch", "shelf", "cupboard", "fridge", "oven", "stove", "kettle", "toaster",
            "television", "radio", "camera", "keyboard", "printer", "teapot", "mug of tea", "cup of tea", "glass of milk", "bowl", "spoon", "fork",
            "pan", "basket", "bucket", "vase", "suitcase", "backpack", "wallet", "newspaper", "magazine", "pencil", "notebook", "envelope",
            "orange juice", "pear", "grape", "lemon", "strawberry", "pineapple", "watermelon", "carrot", "potato", "onion", "cucumber", "mushroom",
            "sandwich", "pancake", "cookie", "biscuit", "muffin", "donut", "ice cream", "chocolate bar", "cheese", "sausage", "pasta", "rice",
            "salad", "beer", "wine", "trousers", "jeans", "socks", "slippers", "sunflower", "tulip", "daisy", "cactus", "bush", "forest", "meadow",
            "hill", "volcano", "island", "beach", "desert", "waterfall", "storm", "rainbow", "sunset", "planet", "galaxy", "violin", "trumpet",
            "drum", "tennis ball", "football", "balloon", "teddy bear", "teddy", "puppet", "gargoyle", "statue", "sculpture", "fountain", "emoji",
            "snowflake", "melody", "poem", "novel", "website", "background", "landscape", "lighthouse", "windmill", "traffic light")  # fmt: skip
# What people say of persons and faces too ("a rising star", "a broad bridge").
_AMBIGUOUS = {"star", "letter", "field", "mirror", "screen", "sign", "day", "seal", "ring", "ball", "roof", "bed", "box", "bag", "painting", "pet",
              "bridge", "temple", "camera", "cheese", "cloud", "emoji", "sticker", "school", "fly", "bat"}  # fmt: skip
_ODD = {"mouse": "mice", "goose": "geese", "sheep": "sheep", "deer": "deer", "fish": "fish", "ox": "oxen", "leaf": "leaves", "wolf": "wolves",
        "calf": "calves", "knife": "knives", "shelf": "shelves", "snowman": "snowmen"}  # fmt: skip


def _plural(thing: str) -> str:
    if thing in _ODD:
        return _ODD[thing]
    if thing.endswith("y") and thing[-2] not in "aeiou":
        return f"{thing[:-1]}ies"
    return f"{thing}es" if thing.endswith(("s", "x", "ch", "sh", "o")) else f"{thing}s"


_KINDS = sorted({*ANIMALS, *OBJECTS, *_FURTHER} - _AMBIGUOUS, key=len, reverse=True)
_THING = "|".join(form for thing in _KINDS for form in (_plural(thing), thing))
_PERSONS = (  # what persons are called
    r"(?:night owl|early bird|(?:silver|sly|old|cunning) fox|cool cat|fat cat|scaredy cat|grumpy cat|sad puppy|lost puppy|lone wolf|party animal|black sheep"
    r"|social butterfly|happy bunny|stubborn mule|cold fish|couch potato|deer in (?:the )?headlights)"
)
# words after which a thing is something else than what is spoken of
_NOT_BETWEEN = (
    r"as|like|than|of|with|without|in|on|at|for|to|from|by|and|or|not|no|is|are|was|were|be|look|looks|looking|who|whose|that|if|the|an?|his|her|my|your"
    r"|after|before|too|he|she|it|they|him|them|me|i|you|we|man|men|woman|women|girl|boy|person|guy|lady|face|head|eyes?|lips?|nose|mouth|brows?"
    r"|eyebrows?|cheeks?|chin|jaw|skin|hair|smile|tears?|shaped|has|had|just"
)
_BETWEEN = rf"(?:(?!(?:{_NOT_BETWEEN})\b)[\w'-]+ )"
_DOES = r"(?:smil|laugh|cry|cri|grinn?|frown|wink|yawn|sobb?|scream|scowl|pout|smirk|weep|howl|bark|growl|blush|sleep|blink|squint|glar)(?:ing|e?s)"
_FEELS = (
    r"happy|sad|angry|grumpy|cheerful|joyful|merry|surprised|shocked|scared|frightened|afraid|worried|nervous|sleepy|tired|furious|mad|gloomy|unhappy|evil"
    r"|smug|disgusted|proud|lonely|shy|calm|cute|funny|silly|friendly|fierce|old|young|big|small|little|tiny|huge|fat|thin|red|blue|green|black|white|brown"
    r"|pink|purple|yellow|grey|golden|beautiful|new|fast|wooden"
)
_GONE = r"going|coming|gone|dead|out|missing|in|right|on|lost|playing|dying|stolen|towed|burning|here|there|behind"
_BODY = r"(?:the |his |her |your |my )?(?:eyes?|nose|cheeks?|stomach|tummy|face|hair|mouth|lips?)"
_FOLLOWS = (
    rf"(?=$|[.!?]| (?:(?:is|are|was|were) (?!(?:{_GONE})\b)|looks?\b|seems?\b|feels?\b|has an? |with\b|without\b|(?:in|on|at|by|under|near) (?!{_BODY}\b)"
    rf"|from\b|beside\b|behind\b|that\b|which\b|who\b|of the\b|{_DOES}\b|\w+ing\b))"
)
_PICTURE = r"(?:(?:an?|the|this) )?(?:photo|picture|portrait|image|drawing|painting|close-up|closeup|photograph|statue|sculpture|sticker|figure)s? of "
_MADE = r"(?:(?:please )?(?:draw|show|paint|create|generate|i want|give me|make it) )?"
_ONE = r"(?:an?|the|this|that|these|those|my|his|her|our|their|your|two|three|four|five|six|ten) "
_ORDER = r"(?:please )?(?:make|let|have|get|turn|help|ask|force) (?:the|this|that|my|an?) "
_STATUE = r"(?:statue|sculpture) of an? "
_ENGLISH = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        # "a smiling dog", "the dog looks sad"; a thing alone is left to the guide, which may know it for a look
        rf"{_MADE}(?:{_PICTURE})?(?:{_ONE}){_BETWEEN}{{1,4}}?(?P<thing>{_THING}){_FOLLOWS}",
        rf"{_MADE}(?:{_PICTURE})?(?:{_ONE})(?P<thing>{_THING})(?! (?:in|on|is right)\b)(?!$){_FOLLOWS}",
        rf"{_PICTURE}(?:{_ONE})?{_BETWEEN}{{0,4}}?(?P<thing>{_THING}){_FOLLOWS}",
        rf"(?:an?|the) {_BETWEEN}{{0,3}}?{_STATUE}(?P<thing>{_THING})\b",
        rf"(?:very )?(?:{_FEELS}|{_DOES}) {_BETWEEN}{{0,2}}?(?P<thing>{_THING}){_FOLLOWS}",
        # after an order anything may follow but what makes a thing a likeness: "make the cat eyes bigger"
        rf"{_ORDER}{_BETWEEN}{{0,4}}?(?P<thing>{_THING})\b(?! (?:like|eyed?|eyes|faced?|lips|nosed?|mouth|grin|ears?|teeth|shaped|tired)\b|[\w'-])",
    )
)
_OF_A_PERSON = re.compile(r" of an? (?:man|woman|girl|boy|guy|lady|person)\b", re.IGNORECASE)  # "a bear of a man"
_CALLED = re.compile(rf"(?:an? |the )?{_PERSONS}\b", re.IGNORECASE)

_MANY = "|".join(sorted((t for t in CHINESE if len(t) > 1), key=len, reverse=True))
_ALL = "|".join(sorted(CHINESE, key=len, reverse=True))
_BEASTS = "[狗猫马牛羊猪熊狼鸟鸡鱼蛇]"
_COUNT = "[一两三几这那][只个条头匹辆座张幅件首部棵朵群本把]"
_PART = "[眼脸鼻嘴唇耳牙舌眉头样系肌]"
_THEN = "(?:们)?(?:的?(?:图片|照片|图|画|贴纸|海报|表情包))?"
_FELT = "微笑|开心|高兴|快乐|愉快|欢乐|生气|愤怒|发怒|暴怒|难过|伤心|悲伤|忧伤|大笑|爱笑|哭泣|惊讶|吃惊|震惊|害怕|恐惧|惊恐|恶心|困倦|瞌睡|疲惫|可爱|孤独|忧郁|得意|调皮|凶狠|凶猛|可怕|担心"
_CHINESE = (
    re.compile(rf"(?:画|来|要)?(?:{_COUNT})?[^，。]{{0,8}}(?:的|{_COUNT})(?P<thing>{_ALL}){_THEN}"),
    re.compile(rf"(?:画|来|要)?(?:{_COUNT})?(?:{_FELT})(?P<thing>{_MANY}){_THEN}"),
    re.compile(rf"(?:请)?(?:让|把|给|使|叫)[这那]?[只个条头匹]?(?P<thing>{_MANY}|{_BEASTS})(?!{_PART}).*"),
    re.compile(
        rf"(?:{_COUNT}|[我她他你]的)?(?P<thing>{_MANY}|{_BEASTS})们?(?:很|在|正|看起来|看上去|显得|哭|笑|吐|张|睡|有点|非常|{_FELT}).*"
    ),
)


def subject(wish: str) -> str:
    """The animal or thing that a wish is about, in its own words; empty where it is about a face, or nobody can tell."""
    wish = wish.strip()
    if wish.isascii():
        match = next(filter(None, (pattern.match(wish) for pattern in _ENGLISH)), None)
        told = match and not _OF_A_PERSON.match(wish, match.end()) and not _CALLED.match(wish)
        return match["thing"] if match and told else ""
    if re.search("[像如似]|一样|[一那这]般", wish):  # what a face is compared with
        return ""
    match = next(filter(None, (pattern.fullmatch(wish) for pattern in _CHINESE)), None)
    return match["thing"] if match else ""
