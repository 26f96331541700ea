//! The words the demo's titles, names and places are made of. Fictional throughout: persons, publishers and places
//! that exist are not meant.

/// A field of knowledge: what its books are called and where they stand.
pub(super) struct Subject {
    /// Chinese Library Classification.
    pub class: &'static str,
    pub heading: &'static str,
    pub heads: &'static [&'static str],
    pub tails: &'static [&'static str],
}

pub(super) const SUBJECTS: &[Subject] = &[
    Subject {
        class: "I247.57",
        heading: "长篇小说",
        heads: &[
            "江南", "北巷", "老街", "渡口", "灯塔", "长堤", "雪夜", "春山", "故园", "河湾", "云上", "南城", "石桥",
            "晚潮",
        ],
        tails: &[
            "往事", "来信", "人家", "夜航", "纪事", "回声", "四季", "旧梦", "晨光", "远行", "归途", "灯火",
        ],
    },
    Subject {
        class: "I267",
        heading: "散文集",
        heads: &[
            "窗前", "雨后", "山居", "灯下", "路上", "茶余", "湖边", "秋日", "青苔", "小城",
        ],
        tails: &["随笔", "散记", "闲话", "札记", "书简", "漫谈", "笔记", "小品"],
    },
    Subject {
        class: "K29",
        heading: "地方史",
        heads: &[
            "江城", "临江", "望湖", "云岭", "南浦", "北屏", "新港", "古渡", "运河", "长街",
        ],
        tails: &[
            "史话",
            "风物志",
            "城市记忆",
            "百年图录",
            "老照片",
            "口述史",
            "街巷考",
            "地名故事",
        ],
    },
    Subject {
        class: "TP311",
        heading: "程序设计",
        heads: &[
            "数据库",
            "分布式系统",
            "网络编程",
            "操作系统",
            "编译原理",
            "软件测试",
            "人工智能",
            "算法",
            "信息安全",
        ],
        tails: &["基础", "实践", "导论", "教程", "案例精讲", "设计与实现", "入门", "进阶"],
    },
    Subject {
        class: "G252",
        heading: "图书馆工作",
        heads: &["公共图书馆", "阅读推广", "总分馆制", "数字阅读", "古籍保护", "少儿阅读"],
        tails: &["研究", "服务手册", "理论与实践", "案例", "发展报告", "指南"],
    },
    Subject {
        class: "R161",
        heading: "保健",
        heads: &["四季", "家庭", "中老年", "睡眠", "饮食", "运动", "办公室", "心脏"],
        tails: &["养生", "健康手册", "营养指南", "百问百答", "调理", "护理常识"],
    },
    Subject {
        class: "TS972",
        heading: "烹饪",
        heads: &["家常菜", "江城小吃", "面点", "汤羹", "素食", "烘焙", "腌菜"],
        tails: &["一百例", "图解", "入门", "四季谱", "笔记", "大全"],
    },
    Subject {
        class: "F830",
        heading: "金融",
        heads: &["货币", "银行", "家庭理财", "保险", "资本市场", "普惠金融"],
        tails: &["通论", "原理", "史", "十讲", "观察", "问答"],
    },
    Subject {
        class: "Q95",
        heading: "动物",
        heads: &["湿地鸟类", "江河鱼类", "昆虫", "城市鸟类", "两栖动物", "蝴蝶"],
        tails: &["图鉴", "观察笔记", "的一年", "漫步", "手册", "之谜"],
    },
    Subject {
        class: "J2",
        heading: "绘画",
        heads: &["水墨", "山水", "花鸟", "速写", "版画", "年画", "书法"],
        tails: &["技法", "赏析", "入门", "小史", "临摹范本", "构图"],
    },
];

pub(super) const CHILDREN: Subject = Subject {
    class: "I287",
    heading: "儿童文学",
    heads: &[
        "小松鼠",
        "月亮船",
        "纸飞机",
        "会飞的",
        "胖胖熊",
        "星星街",
        "小河马",
        "蓝鲸",
        "蘑菇村",
        "雨点儿",
    ],
    tails: &[
        "历险记",
        "找朋友",
        "的秘密",
        "的一天",
        "去远方",
        "和外婆",
        "的生日",
        "的图书馆",
        "的四季",
        "的信",
    ],
};

pub(super) const SUBTITLES: &[&str] = &[
    "从一条街说起",
    "一个普通人的记录",
    "写给所有人的书",
    "修订本",
    "图文版",
    "二十年回望",
    "十二个故事",
    "插图本",
    "新编",
    "珍藏本",
];

pub(super) const FOREIGN_TITLES: &[&str] = &[
    "The Ferry at Dusk",
    "A Short History of Rivers",
    "Letters from the Harbour",
    "Designing Quiet Cities",
    "The Lantern Maker",
    "Field Notes on Wetland Birds",
    "Introduction to Data Systems",
    "Bridges and Their Builders",
];
pub(super) const PERIODICALS: &[&str] = &["江城文艺", "读书与人", "科学少年", "城市规划通讯", "江河水利", "旧书信"];

pub(super) const SURNAMES: &[&str] = &[
    "王", "李", "张", "刘", "陈", "杨", "赵", "黄", "周", "吴", "徐", "孙", "胡", "朱", "高", "林", "何", "郭", "马",
    "罗", "梁", "宋", "郑", "谢", "韩", "唐", "冯", "于", "董", "萧", "程", "曹", "袁", "邓", "许", "傅", "沈", "曾",
    "彭", "吕", "欧阳", "司徒",
];
pub(super) const GIVEN: &[&str] = &[
    "文", "明", "芳", "静", "伟", "敏", "强", "磊", "洋", "艳", "勇", "军", "杰", "娟", "涛", "超", "霞", "平", "刚",
    "桂", "英", "华", "玉", "兰", "秀", "梅", "鹏", "飞", "雪", "琳", "晨", "宇", "欣", "怡", "佳", "浩", "然", "子",
    "涵", "思", "雨", "清", "远", "书",
];

pub(super) const PUBLISHERS: &[&str] = &[
    "江城出版社",
    "望湖书局",
    "云岭人民出版社",
    "南浦大学出版社",
    "北屏少年儿童出版社",
    "新港科学技术出版社",
];

/// Code, name, and the streets of a district with a branch each.
pub(super) const DISTRICTS: &[(&str, &str, [&str; 4])] = &[
    ("LJ", "临江区", ["柳堤", "石桥", "渡口", "书院"]),
    ("WH", "望湖区", ["荷塘", "湖滨", "曲桥", "梅坞"]),
    ("YL", "云岭区", ["松坪", "云台", "茶亭", "竹溪"]),
    ("NP", "南浦区", ["南津", "芦荡", "盐仓", "水磨"]),
    ("BP", "北屏区", ["屏山", "古槐", "驿前", "雁门"]),
    ("XG", "新港区", ["港前", "海关", "船坞", "工人村"]),
];

/// First days and last days of the Spring Festival holidays.
pub(super) const SPRING_FESTIVALS: &[(&str, &str)] = &[
    ("2026-02-16", "2026-02-19"),
    ("2027-02-05", "2027-02-08"),
    ("2028-01-25", "2028-01-28"),
];
