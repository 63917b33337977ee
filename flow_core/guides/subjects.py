"""Who or what a wish speaks of. "A smiling dog" names a smile as "a smiling face" does, but asks for nothing that an edit of a person's face
could do; "cat eyes", "dog-tired" and "like an angry bull" do. So what counts is whether an animal or a thing is what the whole wish is about.
A guide brings along more names of these than stand here."""

from __future__ import annotations

import functools
import itertools
import re

ANIMALS = ("dog", "cat", "puppy", "kitten", "horse", "pony", "cow", "pig", "sheep", "goat", "lion", "tiger", "bear", "wolf", "fox", "rabbit",
           "hamster", "mouse", "rat", "squirrel", "elephant", "giraffe", "monkey", "gorilla", "owl", "eagle", "parrot", "duck", "chicken",
           "penguin", "fish", "shark", "whale", "dolphin", "frog", "snake", "lizard", "turtle", "dinosaur", "dragon", "unicorn", "spider",
           "bee", "butterfly", "crocodile", "panda", "koala", "donkey", "camel", "deer", "seal", "bird", "octopus", "snail",
           "hound", "husky", "labrador", "pug", "calf", "bull", "ox", "lamb", "hog", "cub", "coyote", "bunny", "guinea pig", "beaver",
           "raccoon", "skunk", "bat", "ape", "sloth", "goose", "turkey", "dove", "raven", "hawk", "vulture", "ostrich", "canary",
           "salmon", "crab", "shrimp", "chameleon", "worm", "beetle", "fly", "animal", "pet", "insect")  # fmt: skip
OBJECTS = ("car", "truck", "bus", "train", "bike", "boat", "ship", "plane", "house", "door", "window", "wall", "roof", "tree", "flower", "rose",
           "leaf", "mountain", "river", "lake", "sea", "ocean", "sky", "cloud", "sun", "moon", "star", "street", "city", "village", "castle",
           "tower", "bridge", "road", "garden", "field", "table", "chair", "sofa", "bed", "lamp", "mirror", "clock", "phone", "laptop",
           "computer", "screen", "book", "letter", "box", "bag", "bottle", "cup", "glass of wine", "plate", "knife", "apple", "banana",
           "tomato", "cake", "pizza", "burger", "soup", "bread", "coffee", "shirt", "dress", "jacket", "coat", "skirt", "hat", "shoes",
           "boots", "gloves", "sweater", "umbrella", "guitar", "piano", "ball", "toy", "robot", "statue of a horse", "painting", "poster",
           "logo", "map", "shop", "restaurant", "church", "school", "office", "kitchen", "curtain", "carpet", "pillow", "candle", "ring",
           "ferry", "building", "temple", "cathedral", "station", "hotel", "room", "toaster", "radio", "camera", "printer", "bowl", "spoon",
           "fork", "pan", "basket", "vase", "wallet", "pencil", "envelope", "orange juice", "grape", "lemon", "strawberry", "carrot", "potato",
           "sandwich", "cookie", "ice cream", "cheese", "beer", "wine", "trousers", "jeans", "socks", "slippers", "bush", "hill", "storm",
           "rainbow", "sunset", "planet", "football", "balloon", "teddy bear", "puppet", "sculpture", "emoji", "melody", "poem", "novel",
           "website", "background", "landscape", "traffic light", "sticker", "pumpkin", "snowman", "sign", "song", "story", "movie", "game", "day", "birthday", "ending", "family photo album")  # fmt: skip
CHINESE = ("狗", "小狗", "狗狗", "猫", "小猫", "猫咪", "马", "牛", "公牛", "羊", "猪", "狮子", "老虎", "熊", "狼", "狐狸", "兔子", "老鼠", "大象", "猴子", "猩猩",
           "鸟", "鹦鹉", "鸭子", "鸡", "企鹅", "鱼", "鲨鱼", "青蛙", "蛇", "乌龟", "恐龙", "龙", "熊猫", "猫头鹰", "汽车", "火车", "飞机", "自行车", "房子", "城堡", "桥",
           "街道", "城市", "厨房", "花园", "森林", "大海", "天空", "太阳", "月亮", "星星", "云", "山", "树", "花", "苹果", "蛋糕", "咖啡", "杯子", "椅子", "桌子", "灯",
           "电脑", "手机", "书", "故事", "歌", "电影", "音乐", "节日", "机器人", "雕像", "玩具", "雪人", "南瓜", "衣服", "裙子", "帽子", "鞋子", "贴纸", "海报",
           "标志")  # fmt: skip
# What people say of persons and faces too ("a rising star", "a broad bridge").
_AMBIGUOUS = {"star", "letter", "field", "mirror", "screen", "sign", "day", "seal", "ring", "ball", "roof", "bed", "box", "bag", "painting", "pet",
              "bridge", "temple", "camera", "cheese", "cloud", "emoji", "sticker", "school", "fly", "bat"}  # fmt: skip
_ODD = {"mice": "mouse", "geese": "goose", "oxen": "ox", "leaves": "leaf", "wolves": "wolf", "calves": "calf", "knives": "knife",
        "shelves": "shelf", "snowmen": "snowman"}  # fmt: skip

# What persons are called by what they are or do; more are told by how the word ends.
_ROLES = (
    "man woman person boy girl guy lady gentleman kid child baby toddler infant newborn teen teenager adult youngster dude bloke chap gal lad lass human people couple "
    "mother father mom mum mommy mama dad daddy papa parent son daughter brother sister sibling twin aunt uncle cousin nephew niece grandma grandpa grandmother "
    "grandfather granny gran nana grandad granddad grandparent grandson granddaughter wife husband widow bride groom bridesmaid boyfriend girlfriend friend neighbour neighbor "
    "stranger tourist student pupil teen schoolboy schoolgirl schoolkid orphan teacher professor doctor nurse surgeon dentist patient chef cook waiter waitress baker butcher "
    "barista bartender driver pilot sailor soldier warrior knight samurai ninja viking pirate cowboy gangster thug mobster thief robber burglar criminal prisoner cop officer policeman "
    "detective spy agent lawyer judge politician president king queen prince princess emperor empress duke duchess noble nobleman aristocrat butler maid servant priest nun monk "
    "bishop pope saint angel devil demon witch wizard sorcerer warlock vampire zombie ghost elf fairy dwarf orc goblin troll giant hobbit alien mermaid superhero hero villain joker "
    "clown jester mime dancer ballerina singer actor actress musician pianist drummer rapper dj model celebrity star artist painter sculptor poet writer author journalist reporter "
    "scientist nerd geek hacker gamer streamer youtuber influencer programmer engineer worker builder plumber carpenter mechanic farmer fisherman gardener hunter miner janitor "
    "cleaner barber hairdresser tailor shopkeeper cashier clerk salesman businessman businesswoman boss manager ceo banker accountant secretary employee colleague coworker athlete "
    "boxer wrestler fighter runner swimmer footballer player goalkeeper referee coach fan supporter spectator hiker biker cyclist skater surfer hippie punk goth hipster "
    "grandmaster champion winner loser survivor beggar hobo homeless tramp drunk addict patient customer guest host librarian astronaut firefighter fireman paramedic postman rockstar gladiator"
)
ROLES = frozenset(_ROLES.split())
_ROLE_ENDINGS = ("man", "men", "woman", "women", "boy", "girl", "kid", "ist", "ian")
_ZH_ROLE = re.compile(
    "[^的，。]{0,3}(?:[人者员师家兵手生孩妈爸爷奶哥姐弟妹叔姨童]|女士|先生|老板|经理|主管|总裁|领导|同事|警察|士兵|将军|法官|律师|医生|护士|司机|厨子|小丑|巫婆|女巫|公主|王子|国王|女王|皇后|皇帝|骑士|武士|侠客"
    "|海盗|忍者|僵尸|吸血鬼|精灵|恶魔|天使|和尚|尼姑|宝宝|婴儿|娃娃|少年|少女|青年|大叔|大妈|大爷|老头|老太太?|朋友|邻居|情侣|新娘|新郎|丈夫|妻子|老公|老婆|学霸|球迷|粉丝|明星|偶像|演员|保安|农民|贵族|顾客|乘客)"
)


def is_role(word: str) -> bool:
    """Whether a word is what a person is called."""
    if not word.isascii():
        return bool(_ZH_ROLE.fullmatch(word))
    one = word.lower().removesuffix("s")
    return not ROLES.isdisjoint((one, word.lower())) or one.endswith(_ROLE_ENDINGS)


CORE = frozenset({*ANIMALS, *OBJECTS} - _AMBIGUOUS)


def _one(word: str) -> set[str]:
    """What a word may be the plural of, and itself."""
    found = {word, _ODD.get(word, word)}
    for ending, single in (("s", ""), ("es", ""), ("ies", "y")):
        found |= {word.removesuffix(ending) + single} if word.endswith(ending) else set()
    return found


_PERSONS = (  # what persons are called
    r"(?:night owl|early bird|(?:silver|sly|old|cunning) fox|cool cat|fat cat|scaredy cat|grumpy cat|sad puppy|lost puppy|lone wolf|party animal|black sheep"
    r"|social butterfly|happy bunny|stubborn mule|cold fish|couch potato|deer in (?:the )?headlights|(?:\w+ )?cat (?:that|who) (?:got|ate|stole|has|had) the (?:cream|canary))"
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
    rf"(?=$|[.!?]| (?:(?:is|are|was|were) (?!(?:{_GONE})\b)|looks?\b|seems?\b|feels?\b|has an? |with\b|without\b|(?:in|on|at|by|under|near|over|above|below|inside|outside|among|across|along|around|through|against) (?!{_BODY}\b)"
    rf"|from\b|beside\b|behind\b|that\b|which\b|who\b|of the\b|{_DOES}\b|\w+ing\b))"
)
_PICTURE = r"(?:(?:an?|the|this) )?(?:photo|picture|portrait|image|drawing|painting|close-up|closeup|photograph|statue|sculpture|sticker|figure)s? of "
_MADE = r"(?:(?:please )?(?:draw|show|paint|create|generate|i want|give me|make it) )?"
_ONE = r"(?:an?|the|this|that|these|those|my|his|her|our|their|your|two|three|four|five|six|ten) "
_ORDER = r"(?:please )?(?:make|let|have|get|turn|help|ask|force) (?:the|this|that|my|an?) "
_STATUE = r"(?:statue|sculpture) of an? "


@functools.lru_cache(maxsize=1024)
def _english(things: tuple[str, ...]) -> tuple[re.Pattern[str], ...]:
    """Patterns of wishes about one of ``things``."""
    thing = "|".join(map(re.escape, things))
    return tuple(
        re.compile(pattern, re.IGNORECASE)
        for pattern in (
            # "a smiling dog", "the dog looks sad"; a thing alone is left to the guide, which may know it for a look
            rf"{_MADE}(?:{_PICTURE})?(?:{_ONE}){_BETWEEN}{{1,4}}?(?P<thing>{thing}){_FOLLOWS}",
            rf"{_MADE}(?:{_PICTURE})?(?:{_ONE})(?P<thing>{thing})(?! (?:in|on|is right)\b)(?!$){_FOLLOWS}",
            rf"{_PICTURE}(?:{_ONE})?{_BETWEEN}{{0,4}}?(?P<thing>{thing}){_FOLLOWS}",
            rf"(?:an?|the) {_BETWEEN}{{0,3}}?{_STATUE}(?P<thing>{thing})\b",
            rf"(?:very )?(?:{_FEELS}|{_DOES}) {_BETWEEN}{{0,2}}?(?P<thing>{thing}){_FOLLOWS}",
            # after an order anything may follow but what makes a thing a likeness: "make the cat eyes bigger"
            rf"{_ORDER}{_BETWEEN}{{0,4}}?(?P<thing>{thing})\b(?! (?:like|eyed?|eyes|faced?|lips|nosed?|mouth|grin|ears?|teeth|shaped|tired)\b|[\w'-])",
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


def subject(wish: str, things: frozenset[str] = frozenset()) -> str:
    """The animal or thing that a wish is about, in its own words; empty where it is about a face, or nobody can tell.

    Args:
        things: what animals and things are called, beside :data:`CORE`.
    """
    wish = wish.strip()
    if wish.isascii():
        words = wish.lower().replace(",", " ").split()
        named = [
            w
            for w in (*map(" ".join, itertools.pairwise(words)), *words)
            if any(o in CORE or o in things for o in _one(w))
        ]
        match = (
            next(filter(None, (p.match(wish) for p in _english(tuple(dict.fromkeys(named))))), None) if named else None
        )
        told = match and not _OF_A_PERSON.match(wish, match.end()) and not _CALLED.match(wish)
        return match["thing"] if match and told else ""
    if re.search("[像如似]|一样|[一那这]般", wish):  # what a face is compared with
        return ""
    match = next(filter(None, (pattern.fullmatch(wish) for pattern in _CHINESE)), None)
    return match["thing"] if match else ""
