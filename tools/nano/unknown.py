"""Questions outside the model's little world, so that it learns to say that it does not know."""

import random

ANSWER_EN = "I do not know that: I am a tiny model and know little beyond feilun."
ANSWER_ZH = "这个我不知道：我是个很小的模型，除了飞轮知道得很少。"
PLACES_EN = "France Japan Brazil Egypt Canada Kenya Peru Italy India Spain Norway Chile Poland Texas London Tokyo Rome Berlin Shanghai Cairo Mars Venus Europe Africa Australia Greece Turkey Vietnam".split()
PLACES_ZH = "法国 日本 巴西 埃及 加拿大 肯尼亚 秘鲁 意大利 印度 西班牙 挪威 智利 波兰 德克萨斯 伦敦 东京 罗马 柏林 上海 开罗 火星 金星 欧洲 非洲 澳大利亚 希腊 土耳其 越南".split()
THINGS_EN = "volcano guitar piano airplane bicycle photosynthesis gravity democracy evolution dinosaur whale penguin elephant tiger bread cheese sushi chess football tennis opera poem novel castle bridge engine battery magnet atom molecule vaccine virus heart brain lung inflation tax election law contract marriage wedding birthday garden rose tree river ocean desert island planet star galaxy telescope microscope camera phone laptop keyboard mouse printer python javascript rust kubernetes docker linux windows blockchain bitcoin ethereum stock bond mortgage insurance passport visa train ship submarine rocket laser robot drone painting sculpture cinema violin trumpet drum recipe soup pasta rice noodle tofu coffee wine beer chocolate vitamin protein diet yoga marathon swimming philosophy religion history war peace treaty empire emperor pyramid dragon phoenix quantum relativity calculus algebra geometry probability statistics".split()
THINGS_ZH = "火山 吉他 钢琴 飞机 自行车 光合作用 重力 民主 进化论 恐龙 鲸鱼 企鹅 大象 老虎 面包 奶酪 寿司 象棋 足球 网球 京剧 唐诗 小说 城堡 大桥 发动机 电池 磁铁 原子 分子 疫苗 病毒 心脏 大脑 通货膨胀 税收 选举 法律 合同 婚礼 花园 玫瑰 长江 海洋 沙漠 岛屿 行星 银河 望远镜 显微镜 相机 手机 电脑 键盘 打印机 Python JavaScript Kubernetes Docker Linux 区块链 比特币 股票 债券 房贷 保险 护照 签证 火车 轮船 潜艇 火箭 激光 无人机 油画 雕塑 电影 小提琴 菜谱 面条 豆腐 米饭 咖啡 红酒 巧克力 维生素 蛋白质 瑜伽 马拉松 游泳 哲学 宗教 历史 战争 帝国 皇帝 金字塔 凤凰 量子力学 相对论 微积分 代数 几何 概率 统计".split()
PEOPLE_EN = "Einstein Newton Napoleon Cleopatra Mozart Shakespeare Confucius Darwin Curie Gandhi Lincoln Picasso Messi Beethoven Aristotle Plato Caesar Columbus Galileo Tesla".split()
PEOPLE_ZH = "爱因斯坦 牛顿 拿破仑 莫扎特 莎士比亚 孔子 达尔文 居里夫人 甘地 林肯 毕加索 梅西 贝多芬 秦始皇 李白 杜甫 曹操 诸葛亮 鲁迅 伽利略".split()
ASK_EN = [
    "what is the capital of {place}", "where is {place}", "how many people live in {place}", "who is the (president|king|mayor|leader) of {place}", "what language do they speak in {place}", "how far is {place}", "(best|good) (food|hotels|beaches) in {place}",
    "what is (a |the |){thing}", "how does (a |the |){thing} work", "explain {thing}", "who invented (the |){thing}", "how do i (make|learn|buy|use|cook|fix|play|build) (a |){thing}", "tell me about {thing}", "why is {thing} important", "history of {thing}", "define {thing}", "what is the best {thing}",
    "who (is|was) {person}", "when (was {person} born|did {person} die|did {person} live)", "what did {person} (do|write|say|discover)", "where was {person} born",
    "how (tall|high|deep|old|heavy|long) is (the |){thing}", "what is {word}", "explain {word}", "what does {word} mean", "who is {word}", "how do i {word} a {word}", "what {word} {word} {thing}",
    "what is the meaning of life", "who won the (world cup|election|game|oscar)( last year|)", "recommend (me |)a (book|film|restaurant|song)", "what is the (speed of light|boiling point of water|square root of 2|largest number)", "how many (stars|users|customers|employees) does feilun have", "who is the (ceo|founder|boss) of feilun", "is there a god", "what will happen tomorrow", "give me (medical|legal|financial) advice",
]
ASK_ZH = [
    "{place}的首都(是哪里|是什么|在哪)", "{place}在哪里", "{place}有多少人口", "{place}的(总统|国王|市长|领导人)是谁", "{place}说什么语言", "{place}有什么好(吃|玩)的", "{place}离这里多远",
    "{thing}是什么", "什么是{thing}", "{thing}(怎么|如何)工作", "解释一下{thing}", "谁发明了{thing}", "(怎么|如何)(做|学|买|用|修|玩){thing}", "介绍一下{thing}", "{thing}的历史", "为什么{thing}(很|)重要", "最好的{thing}是哪个", "{thing}的原理是什么",
    "{person}是谁", "{person}(是|)(什么时候|哪年)(出生|去世)(的|)", "{person}(写|做|说|发现)(了|过)什么", "{person}出生在哪里",
    "{thing}有多(高|深|重|长|大)", "{word}是什么", "{word}是什么意思", "解释{word}", "{word}是谁",
    "人生的意义是什么", "(世界杯|奥运会|比赛)谁赢了", "推荐(一本书|一部电影|一家餐厅|一首歌)", "(光速|水的沸点|2 的平方根)是多少", "飞轮有多少(用户|员工|客户)", "飞轮的(老板|创始人|CEO)是谁", "世界上有神吗", "明天会发生什么", "给我(医疗|法律|理财)建议",
]
SYLLABLES_EN = "ba do ki lu mo zar ten pli quo ver gla nim sor fex trum bly cor dan eth wib".split()
SYLLABLES_ZH = list("阿布森拉莫维格罗尼托卡希梅洛杜安迪索菲泽")


def unknown(rng: random.Random, lang: str) -> tuple[str, str]:
    """A pattern (for grammar.expand) of a question nobody taught the model, and its answer."""
    english = lang == "en"
    syllables = SYLLABLES_EN if english else SYLLABLES_ZH
    ask = rng.choice(ASK_EN if english else ASK_ZH)
    while "{word}" in ask:
        ask = ask.replace("{word}", "".join(rng.choices(syllables, k=rng.randint(2, 4))), 1)
    ask = ask.replace("{place}", rng.choice(PLACES_EN if english else PLACES_ZH))
    ask = ask.replace("{thing}", rng.choice(THINGS_EN if english else THINGS_ZH))
    ask = ask.replace("{person}", rng.choice(PEOPLE_EN if english else PEOPLE_ZH))
    return ask, ANSWER_EN if english else ANSWER_ZH
