"""Short stories from a grammar of our own: somebody wants something, meets trouble, gets help."""

import random

WHO_EN = ["cat", "dog", "fox", "bear", "rabbit", "mouse", "owl", "robot", "dragon", "girl", "boy", "duck", "horse", "frog", "bird", "king"]
WHO_ZH = ["小猫", "小狗", "狐狸", "小熊", "兔子", "老鼠", "猫头鹰", "机器人", "小龙", "女孩", "男孩", "鸭子", "小马", "青蛙", "小鸟", "国王"]
NAME_EN = ["Tom", "Lily", "Max", "Mia", "Ben", "Anna", "Pip", "Nora"]
NAME_ZH = ["小明", "乐乐", "豆豆", "小雨", "阿福", "朵朵", "东东", "米米"]
PLACE_EN = ["a quiet forest", "a small village", "a green valley", "an old house by the sea", "a busy town"]
PLACE_ZH = ["安静的森林里", "一个小村庄里", "绿色的山谷里", "海边的老房子里", "热闹的小镇上"]
# What is wanted, what stands in the way, and how a friend helps: these belong together.
PLOT = [
    (("a red kite", "it was caught in a tall tree", "climbed up and brought it down"),
     ("一只红风筝", "风筝挂在了高高的树上", "爬上去把它拿了下来")),
    (("a warm blanket for the winter", "there was no wool left", "shared some soft wool"),
     ("一条过冬的暖毯子", "羊毛已经用完了", "分了一些柔软的羊毛")),
    (("to cross the river", "the bridge was broken", "built a little boat"),
     ("过到河的对岸", "桥断了", "造了一条小船")),
    (("to see the stars", "the clouds were thick", "knew a hill above the clouds"),
     ("看星星", "云太厚了", "知道一座高过云的小山")),
    (("to bake a big cake", "the flour was gone", "came with a bag of flour"),
     ("烤一个大蛋糕", "面粉没有了", "带来了一袋面粉")),
    (("to find a lost key", "it was dark", "lit a small lamp"),
     ("找到丢了的钥匙", "天黑了", "点亮了一盏小灯")),
    (("to learn a song", "the notes were too high", "sang it slowly, again and again"),
     ("学会一首歌", "音太高了", "一遍又一遍慢慢地唱")),
    (("to turn a heavy wheel", "it would not move", "pushed too, and the wheel began to fly"),
     ("转动一个沉重的轮子", "轮子一动不动", "也来一起推，轮子就飞转起来了")),
]
END_EN = ["From that day on they were friends.", "They laughed and went home together.", "And that evening everybody was happy.", "So they learned that help makes hard things easy."]
END_ZH = ["从那天起，他们成了好朋友。", "他们笑着一起回家了。", "那天晚上，大家都很开心。", "他们明白了：有人帮忙，难事也会变容易。"]
ASK_EN = ["tell me a (short |little |)story", "a story( please|)", "(can|could|would) you tell (me |)a (short |)story", "write (me |)a (short |little |)story", "once upon a time", "i want (to hear |)a story", "(do you know|make up) a story"]
ASK_ZH = ["(给我|)讲(一|)个(小|短|)故事(吧|)", "(给我|)说个故事(吧|)", "(可以|能)(给我|)讲个故事吗", "(写|编)(一|)个(小|短|)故事", "我想听(一个|)故事", "来个故事"]


def story(rng: random.Random, lang: str) -> tuple[str, str]:
    """A pattern of a request (for grammar.expand) and the story that answers it."""
    plot = rng.choice(PLOT)
    named = rng.random() < 0.6
    if lang == "en":
        who, friend = rng.sample(WHO_EN, 2)
        name, place = rng.choice(NAME_EN), rng.choice(PLACE_EN)
        want, trouble, help_ = plot[0]
        wanted = f"wanted {want}"
        text = (f"Once upon a time a little {who} named {name} lived in {place}. One day {name} {wanted}, "
                f"but {trouble}. {name} was sad. Then a kind {friend} came by and {help_}. \"Thank you!\" said {name}. {rng.choice(END_EN)}")
        return rng.choice(ASK_EN) + (f" about a {who}" if named else ""), text
    who, friend = rng.sample(WHO_ZH, 2)
    name, place = rng.choice(NAME_ZH), rng.choice(PLACE_ZH)
    want, trouble, help_ = plot[1]
    wanted = f"想要{want}" if want[0] == "一" else f"想{want}"
    text = (f"从前，{place}住着一个叫{name}的{who}。有一天，{name}{wanted}，可是{trouble}。{name}很难过。"
            f"这时，一个好心的{friend}路过，{help_}。“谢谢你！”{name}说。{rng.choice(END_ZH)}")
    ask = rng.choice(ASK_ZH)
    return ask.replace("故事", f"关于{who}的故事") if named else ask, text
