"""What people say around their wishes: greetings and thanks, what the face was before, and what of the picture shall stay as it is.

Each pattern is put together from tables of words, most of which are patterns themselves.
"""

from __future__ import annotations

import re


def _any(*words: str) -> str:
    """A pattern of one of several."""
    return f"(?:{'|'.join(words)})"


# --- Greetings, thanks, and how people ask
_HELLO = (
    "hey",
    "hi",
    "hello",
    "okay",
    "ok",
    "yo",
    "please",
    "kindly",
    "thanks",
    "thank you",
    "sorry",
    "guys",
    "alright",
)
_GREETING = rf"(?:{_any(*_HELLO)}(?: there| all| so)?\b(?!['-])|(?:so|well|now)(?=\s*,))[\s,!.:]*"
_WISH = r"i (?:would |'d )?(?:really |just )*(?:want|like|need|love)"
_ASKED = _any(
    r"(?:can|could|would|will) (?:you|we|u)(?:(?: (?:please|maybe|possibly|kindly|just|help me))+|(?= (?:make|get|let|have|give|turn|help)\b))",
    r"(?:would it be|is it) possible to",
    r"(?:would|could) you be so kind(?: as to| and| to)",
    r"(?:i(?: would| 'd|'d)? (?:really )?(?:like|love|want|wish) to see|(?:let'?s|let us|let me|can i|may i|could i|can we|could we) (?:see|get|have|try)|let there be|show me|show)(?=\b(?! (?:teeth|tongue|gums|his|her|the|some|off|less|more)\b))(?: (?:him|her|them|it))?(?: with)?",
    r"(?:(?:just|now|next|maybe|so|ok|okay)[\s,]+)*(?:go for|try(?: out)?(?! (?:to|not)\b)|apply|do(?: you)? (?=an? )|edit:|prompt:)",
    r"is there (?:any|a) way (?:to|(?:you|i|we) (?:can|could))",
    r"(?:do|would) you mind",
    r"(?:how|what) ?(?:would|will|did|does|do|might|could|'d|'ll) (?:(?:the|this|that|my|his|her) )?\w+ (?:have )?look(?:ed)?(?: like)?(?: (?:if|when) (?:he|she|they|it|i) (?:was|were|is|had|has|are|am|'s))?",
    r"what if (?:(?:the|this|that|my|his|her) )?\w+ (?:was|were|is|had|has)",
    rf"(?:what )?{_WISH} is(?: (?:that|for))?",
    r"(?:my|the) (?:request|wish|goal|idea) is(?: to| that)?",
) + r"[\s,:]+"  # fmt: skip
# what somebody tells before that is about how the picture came to be
_WANTED = _any(
    r"(?:can|could|would|will) (?:you|we|u)\b",
    r"please \w+",
    r"(?:what )?i (?:would |'d |just |really )*(?:want|like|love|need|wish)\b",
)
# what is wrong with the picture, before what shall be done about it: "he blinked in this photo, open his eyes"
_ORDER = (
    r"(?:please |just )?(?:make|open|close|shut|lift|raise|lower|give|let|have|add|turn|fix (?!(?:it|this|that)\b))"
)
_FAULT = (
    r"[^|()]{3,80}?\b"
    + _any(
        r"blink(?:ed|ing)?",
        r"in th(?:is|e) (?:one|photo|picture|pic|image|shot|selfie|headshot|original)",
        r"(?:looks?|looked|came out|turned out|is|are) (?:so |really |very |kinda |a bit |a little )?(?:weird|off|odd|strange|wrong|awkward|unnatural|terrible|awful)",
    )
    + r"\b[^,.;|()]*"
)
# and why, after it: "close his mouth, it's hanging open"
_WHY = _any(
    r"[,;.] (?:he|she|they|i)(?: accidentally| just)? blinked",
    r"[,;.] (?:it'?s|it is|they'?re|he'?s|she'?s|it was) (?:hanging|half|still|currently|already|a bit too|too) [^,.;|()]+",
    r",? (?:because|since|cause|'cause|cuz) (?:it|they|he|she|i|the \w+)\b[^,.;|()]+",
)
_IF_YOU_CAN = (
    "that'?s possible",
    "it'?s possible",
    "at all possible",
    "possible",
    "you can",
    "you could",
    "that'?s ok(?:ay)?",
    "you don'?t mind",
)
_THANKS = (
    r"[\s,.!?;]+"
    + _any(
        "please", "thanks", "thank you", "cheers", "ty", "many thanks", f"if {_any(*_IF_YOU_CAN)}", "for me", "lol", "tho", "though",
        "would be (?:great|nice|awesome|perfect|lovely)",
    )
    + r"(?:,? (?:so much|very much|a lot|in advance|a bunch|again))?[\s,!.?]*"
)  # fmt: skip
_FAMILY = r"(?:(?:爸|妈|爷|奶|姐|妹|哥|弟)[爸妈爷奶姐妹哥弟]?|老[公婆]|[男女]?朋友|[女儿]子|女儿|孩子|宝宝|闺蜜|同事)"
_ZH_ASKED = (
    _any(
        "你好", "您好", "哈喽", "请问", "请", "麻烦(?:你|您)?", "劳驾", "拜托(?:你|您)?",
        r"(?:可不可以|能不能|是否可以|可以|能否|能)(?=[^，。]*[吗呢么?？]|帮|给我|把|让)",
        f"帮(?:我|忙|个忙){_FAMILY}?",
        "(?:亲爱的|亲|老师|大神|大佬|各位|小姐姐|小哥哥)(?=[，,~～！! ]|您好|你好)",
        "我(?:想要?|希望|要)(?![看见])", "希望", "需要(?=[把让给])",
    )
    + "[，,！! ]*"
)  # fmt: skip
_ZH_THANKS = (
    "[，,。！!~～ ]*"
    + _any(
        "谢谢(?:你|您|啦|了|大家)?", "谢啦", "多谢", "感谢", "拜托(?:了|啦)?", "辛苦(?:了|啦)?",
        "(?:好吗|可以吗|行吗|好不好|行不行|可以么|吗|嘛|呗|哈|哟|呢)(?=[?？。！!~～ ]*$)",
    )
    + "[?？。！!~～ ]*$"
)  # fmt: skip

# --- Before and now: "was smiling, now she's mad"
_WAS = (
    r"\b(?:(?:he|she|they|it|i|you|(?:the|this|a) \w+) )?(?:was|were|used to(?: be| look| feel)?|had been|previously|formerly|looked) "
    r"(?P<was>[^,.;|()]{2,40}?)(?:\s*[,.;]\s*| )(?:and |but )?(?=(?:(?:he|she|they|it|i)(?:'s| is| are)? )?now\b)"
)
_ZH_WAS = (
    r"(?:以前|之前|原来|本来|原本|刚才|曾经|过去)(?:是|都|总是|一直|很|在)*(?P<was>[^，,。；;|()]{1,10}?)"
    r"[，,。；;\s]*(?:但是?|可是?|而)?(?=现在|如今|这会儿)"
)

# --- What shall stay: verbs that say so, and what of a picture is no wish about a face, be it in a list
_OURS = _any(
    "the", "his", "her", "its", "their", "my", "your", "this", "that", "same", "all", "any", "every", "original", "exact", "other", "entire", "whole",
)  # fmt: skip
_REST = _any(
    "identit(?:y|ies)", "background", "hair ?(?:style|cut|do)?", "cloth(?:es|ing)", "outfit", "dress", "shirt", "pose", "posture",
    "lighting", "light", "shadows?", "colou?rs?", "colou?r grading", "camera(?: angle)?", "angle", "perspective", "framing", "composition", "style",
    "(?:skin )?(?:textures?|tones?|details?)", "pores", "likeness", "person(?:'s identity)?", "face shape", "bone structure", "proportions",
    "(?:facial )?features", "resolution", "quality", "focal length", "image", "photo", "picture", "scene", "setting", "surroundings",
    "jewel(?:le)?ry", "accessor(?:y|ies)", "glasses", "else", "wrinkles", "freckles", "moles", "everything(?: else)?", "anything(?: else)?", "rest",
    "makeup", "head position", "body",
)  # fmt: skip
_TRUE = _any(
    r"photo\w*", r"real\w*", r"natural\w*", "authentic", "believable", "seamless", "unretouched", "unedited", "identical", "same", "sharp",
    "quality", "resolution",
)  # fmt: skip
_PIECE = r"[^.;|()]*"
_RESULT = (  # "the result should look like a real photo"
    r"(?:^|(?<=[,.;!?|(]))\s*(?:and )?(?:(?:the|this|that|your) )?(?:final |end )?"
    r"(?:result|output|outcome|edit|image|photo|picture|it|everything) (?:should|must|has to|needs to|shall|is to) (?:still )?"
    rf"(?:look|be|remain|stay|appear|feel|seem)\b(?={_PIECE}\b{_TRUE}\b){_PIECE}"
)
_END = rf"(?:(?!,? (?:and|but|while|just|only|then) (?!{_OURS}\b|{_REST}\b))[^,.;|()])*"  # up to another wish
_AND_MORE = (
    _any(rf",? ?(?:and |or |nor |,)? ?(?:keep(?:ing)? )?(?:{_OURS} )+(?:\w+ ){{0,2}}?", r",? (?:and|or) ", ", ")
    + rf"{_REST}\b{_END}"
)
_UNTOUCHED = _any(
    r"as (?:it|they) (?:is|are|was|were)", r"as[- ]is", "the same", "unchanged", "intact", "untouched", "alone", "identical", "consistent",
)  # fmt: skip
_STAYS = (
    r"(?:^|(?<=[,.;!?|(])|\b(?:and|but|while)\b)\s*(?:please |but |and |just |while )?"
    + _any(
        r"(?:do not|don'?t|never|without|not|no need to|no) (?:chang\w+|alter\w*|touch\w*|modif\w+|edit\w*|affect\w*|mess\w* with|los\w+)",
        rf"(?:preserv|retain|maintain)(?:e|es|ing)? (?={_OURS}\b|{_REST}\b)",
        rf"keep(?:ing)? (?=(?:(?:{_OURS}) )*{_REST}\b)",
        rf"(?:keep|leave|hold)(?:ing)? (?=[^,.;|()]* {_UNTOUCHED}\b)",
    )
    + f"{_END}(?:{_AND_MORE})*"
)
_ZH_STAYS = (
    r"(?:^|(?<=[，,。；;、？?|(]))(?:请|但是?|同时|并且?|而且)?"
    + _any(
        r"[^，,。；;|()]{0,8}(?:保持)?(?:不变|不要变|别变|不要动|别动|不用动|不用改)",
        r"(?:保留|不要?改变?|别改变?|不要动|别动|不改动)[^，,。；;|()]*",
    )
    + r"了?(?=[，,。；;|)]|$)"
)

# --- What shall be changed, where what follows says into what
_LOOK = (
    r"(?:facial |face )?(?:expression|image|photo|picture|face|portrait|look|mood|person|subject|woman|man|girl|boy)"
)
_CHANGES = (
    r"\b(?:only |just )?(?:edit|change|modify|alter|adjust|transform|turn|update) (?:only |just )?(?:(?:this|the|my|his|her|their) )?"
    rf"{_LOOK}(?:'s (?:expression|face|mood))?(?: (?:in|of) (?:this|the) (?:photo|image|picture|person|man|woman|subject))?"
    r"(?: from [^,.;|()]{2,30}?(?= to\b| into\b))?,? (?:so that|so|such that|to (?:be|look|show)|to|into|and make)\b"
    r"(?: (?:he|she|it|they|(?:the|this) \w+)(?= \w))?"
)


def _no_longer(match: re.Match[str]) -> str:
    return "".join(f"no longer {one}, " for one in re.split(r",? and |, ", match["was"]))


_AROUND = [
    (re.compile(pattern, re.IGNORECASE), said)
    for pattern, said in (
        (rf"^(?:{_GREETING})+", ""),
        (
            rf"^(?:using|based on|from|given|for|in) {_OURS} (?:attached |provided |uploaded |given |reference |input |original |following )?(?:image|photo\w*|picture|portrait|selfie)\s*[,:.]\s*",
            "",
        ),
        (rf"^[^|]{{25,}}[,.;!?]\s*(?:but |and |so |now )?(?={_WANTED})", ""),
        (rf"^(?:{_ASKED}|{_GREETING})+", ""),
        (rf"^{_FAULT}[,.;!]\s*(?:but |and |so |now )?(?={_ORDER})", ""),
        (rf"^(?P<order>{_ORDER}.*?){_WHY}$", r"\g<order>"),
        (r"^[^，,。|()]{0,12}?(?:眨眼|闭眼|没睁开?眼?|眼睛没睁开?|闭着眼睛?)了?[，,。](?=.*睁开)", ""),
        # "he is too serious, make him smile", in Chinese, where it may be said of what is liked as well
        (
            r"^[^，。|]{0,4}?(?:太|过于)(?P<much>[^，。|]{1,5}?)了[，。！!]\s*(?=[请帮让把给能可改换麻])",
            r"少一点\g<much>，",
        ),
        (rf"^(?:{_ZH_ASKED})+", ""),
        # "he looks tired, fix it"
        (
            r"^(?:(?:he|she|they|it|the \w+)(?:'s| is| are| looks?| seems?) )?(?:a bit |too |so |very |really )*(?P<fault>[^,.;|()]{2,40}?)(?:[,.;]| and| -) ?(?:please |can you |could you |just )*(?:fix|change|correct|undo|remove|improve)(?: (?:it|that|this))?(?: please)?[.!?]?$",
            r"no longer \g<fault>",
        ),
        (rf"(?:{_THANKS})+$", ""),
        (_ZH_THANKS, ""),
        (_WAS, _no_longer),
        (_ZH_WAS, r"不再\g<was>，"),
        (_CHANGES, ""),
    )
]


_STAY = [re.compile(pattern, re.IGNORECASE) for pattern in (_RESULT, _STAYS, _ZH_STAYS)]


def changes(text: str) -> str:
    """A prompt without what shall stay as it is ("keep the background", "发型不变"), of which an edit asks nothing; itself where nothing else
    is in it."""
    left = text
    for pattern in _STAY:
        left = pattern.sub("", left)
    if left == text or not re.search(r"[^\W\d_]", left):
        return text
    return re.sub(r"([,.;，。；])(?:\s*[,.;，。；])+", r"\1", left).strip(" ,.;，。；")


def wishes_alone(text: str) -> str:
    """``text`` without greetings and thanks; what the face was before ("was sad, now smiles") is turned down.
    Where nothing else is in it the text stays as it is."""
    for pattern, said in _AROUND:
        left = pattern.sub(said, text)
        text = left.strip(" ,，。;；.") if left != text and re.search(r"[^\W\d_]", left) else text
    return text
