//! The industries and towns of the district, and the names of its firms.

use super::dice::Dice;

/// How strongly value-added tax falls on an industry's sales.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum VatBand {
    Goods,
    BuildingAndTransport,
    Services,
}

/// What the firms of one industry have in common.
#[derive(Debug)]
pub(super) struct Industry {
    /// GB/T 4754 code with the section letter.
    pub(super) code: &'static str,
    /// Share of the district's firms.
    pub(super) share: f64,
    /// Shift of the logarithm of monthly sales.
    pub(super) size: f64,
    /// Shift of the purchasing trait: traders buy most of what they sell, service firms little.
    pub(super) purchasing: f64,
    /// Shift of the regularity trait: builders invoice by project.
    pub(super) regularity: f64,
    /// Amplitude of the season relative to the district's.
    pub(super) season: f64,
    /// Yearly revenue per person employed, in yuan.
    pub(super) revenue_per_head: f64,
    /// Kilowatt-hours per 10,000 yuan of sales.
    pub(super) kwh_per_wan: f64,
    /// Share of sales to buyers who take no invoice.
    pub(super) uninvoiced: f64,
    pub(super) vat: VatBand,
    /// What stands in a firm's name for its trade.
    trades: &'static [&'static str],
}

macro_rules! industry {
    ($code:literal, $share:literal, $size:literal, $purchasing:literal, $regularity:literal, $season:literal,
     $per_head:literal, $kwh:literal, $uninvoiced:literal, $vat:ident, $($trade:literal)*) => {
        Industry {
            code: $code, share: $share, size: $size, purchasing: $purchasing, regularity: $regularity, season: $season,
            revenue_per_head: $per_head, kwh_per_wan: $kwh, uninvoiced: $uninvoiced, vat: VatBand::$vat,
            trades: &[$($trade),*],
        }
    };
}

/// The industries. The mix is that of a manufacturing district with its traders, builders and services.
#[rustfmt::skip] // a table reads as a table
pub(super) static INDUSTRIES: &[Industry] = &[
    //        code  share  size  purch  regul seas per head    kWh  uninv VAT band
    industry!("C17", 0.10,  0.3,  0.3,  0.1, 1.2,   550_000.0, 420.0, 0.02, Goods, "纺织" "针织" "印染" "家纺"),
    industry!("C26", 0.05,  0.5,  0.3,  0.1, 0.8, 1_100_000.0, 610.0, 0.01, Goods, "化工" "新材料" "助剂"),
    industry!("C29", 0.09,  0.1,  0.3,  0.0, 1.2,   480_000.0, 240.0, 0.03, Goods, "塑料制品" "橡塑" "包装材料"),
    industry!("C33", 0.09,  0.1,  0.3,  0.1, 0.9,   600_000.0, 330.0, 0.02, Goods, "金属制品" "五金" "铜管"),
    industry!("C34", 0.09,  0.2,  0.2,  0.1, 0.9,   620_000.0, 220.0, 0.02, Goods, "机械" "风机" "精密机械"),
    industry!("C38", 0.07,  0.2,  0.2,  0.1, 0.9,   680_000.0, 190.0, 0.02, Goods, "电器" "照明" "电机"),
    industry!("E47", 0.10,  0.2, -0.3, -0.5, 1.1,   800_000.0,  25.0, 0.02, BuildingAndTransport, "建筑" "建设工程" "建筑劳务"),
    industry!("F51", 0.14,  0.2,  0.5,  0.1, 1.0, 2_600_000.0,  12.0, 0.03, Goods, "贸易" "商贸" "实业"),
    industry!("F52", 0.08, -0.7,  0.2,  0.1, 1.0,   700_000.0,  45.0, 0.30, Goods, "超市" "百货" "家居" "大药房"),
    industry!("G54", 0.05, -0.1, -0.2,  0.1, 0.9,   520_000.0,  20.0, 0.03, BuildingAndTransport, "物流" "运输" "货运"),
    industry!("H62", 0.03, -0.9, -0.4,  0.0, 0.7,   210_000.0, 160.0, 0.45, Services, "餐饮" "酒家"),
    industry!("I65", 0.03, -0.3, -0.7, -0.1, 0.8,   450_000.0,  30.0, 0.02, Services, "软件" "信息科技" "网络科技"),
    industry!("L72", 0.05, -0.6, -0.6, -0.1, 0.8,   380_000.0,  18.0, 0.05, Services, "企业管理" "广告" "劳务"),
    industry!("M74", 0.03, -0.5, -0.6, -0.2, 0.9,   420_000.0,  26.0, 0.03, Services, "检测技术" "工程设计" "环境技术"),
];

/// A town or subdistrict, and its share of the firms.
#[derive(Debug)]
pub(super) struct Town {
    /// Its name.
    pub(super) name: &'static str,
    pub(super) share: f64,
}

/// Towns and subdistricts of Shangyu; shares are rough.
pub(super) static TOWNS: &[Town] = &[
    Town { name: "百官", share: 0.20 },
    Town { name: "曹娥", share: 0.16 },
    Town { name: "崧厦", share: 0.14 },
    Town { name: "东关", share: 0.11 },
    Town { name: "道墟", share: 0.09 },
    Town { name: "小越", share: 0.08 },
    Town { name: "丰惠", share: 0.07 },
    Town { name: "章镇", share: 0.06 },
    Town { name: "上浦", share: 0.05 },
    Town { name: "谢塘", share: 0.04 },
];

const FIRST: &[&str] = &[
    "华", "金", "新", "东", "恒", "永", "宏", "锦", "嘉", "舜", "虞", "浙", "越", "明", "盛", "兴", "瑞", "中", "天",
    "万", "海", "正", "德", "佳", "百", "舒", "凯", "振", "隆", "鑫",
];
const SECOND: &[&str] = &[
    "达", "源", "泰", "丰", "盛", "昌", "信", "杰", "茂", "通", "祥", "翔", "润", "诚", "辉", "宇", "鼎", "立", "康",
    "远", "利", "鸿", "顺", "联", "创", "益", "宝", "安", "成", "元",
];

/// The legal form of a firm, which the second character of its code names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// 企业
    Enterprise,
    /// 个体工商户
    Household,
    /// 农民专业合作社
    Cooperative,
}

/// An invented name. It may happen to be the name of a firm that exists; nothing else about it is.
pub(super) fn name(dice: &mut Dice, town: &Town, industry: &Industry, form: Form) -> String {
    let mut one = |words: &[&'static str]| *dice.weighted(words, |_| 1.0);
    let (first, second, trade) = (one(FIRST), one(SECOND), one(industry.trades));
    match form {
        Form::Enterprise => format!("绍兴市上虞{}{first}{second}{trade}有限公司", town.name),
        Form::Household => format!("绍兴市上虞区{}{first}{second}{trade}经营部", town.name),
        Form::Cooperative => format!("绍兴市上虞{}{first}{second}农产品专业合作社", town.name),
    }
}
