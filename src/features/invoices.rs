//! Features from the invoices that a firm issues and receives.

use super::{Feature, RiskSign, Unit, View, both};
use crate::domain::SourceKind;
use crate::domain::language::Bilingual;

const NO_INVOICES: Bilingual =
    both("税务部门未提供该企业的发票数据", "The tax department shares no invoices of this firm");
const TOO_SHORT: Bilingual = both("开票历史太短，无法计算", "The invoice history is too short to tell");
const NO_SALES: Bilingual =
    both("期间没有开具发票，无法计算", "No invoices were issued in the period, so it cannot be computed");
const NO_PURCHASES: Bilingual = both(
    "期间没有取得进项发票，无法计算",
    "No purchase invoices were received in the period, so it cannot be computed",
);

const TAX: SourceKind = SourceKind::Tax;

pub(super) static FEATURES: &[Feature] = &[
    Feature {
        name: "tax_revenue",
        source: TAX,
        part: "invoices",
        unit: Unit::Yuan,
        sign: RiskSign::Falls,
        label: both("近12个月销售收入（元）", "Revenue of the last 12 months, yuan"),
        text: both("近12个月销售收入规模偏小", "Revenue of the last 12 months is small"),
        remedy: both(
            "如实、及时开票和申报，让真实经营规模得到体现",
            "Invoice and declare all sales in time so that the true scale shows",
        ),
        missing: both(
            "税务部门未提供发票和申报收入",
            "The tax department shares neither invoices nor declared revenue",
        ),
        extract: |view| view.revenue_12m().map(|fen| fen.yuan()),
    },
    Feature {
        name: "tax_revenue_growth",
        source: TAX,
        part: "invoices",
        unit: Unit::Ratio,
        sign: RiskSign::Falls,
        label: both(
            "近12个月收入同比增长（比上年同期）",
            "Revenue growth: last 12 months over the 12 before, minus one",
        ),
        text: both("销售收入同比下降或增长乏力", "Revenue fell, or barely grew, against the year before"),
        remedy: both(
            "提供新订单或合同，说明收入变动的原因",
            "Show new orders or contracts and explain the change in revenue",
        ),
        missing: TOO_SHORT,
        extract: |view| view.invoices()?.change_on_year(12),
    },
    Feature {
        name: "tax_revenue_recent",
        source: TAX,
        part: "invoices",
        unit: Unit::Ratio,
        sign: RiskSign::Falls,
        label: both(
            "近6个月收入同比变化（比上年同期6个月）",
            "Last 6 months' revenue over the same months a year before, minus one",
        ),
        text: both("最近半年收入明显减少", "Revenue of the last half-year is down"),
        remedy: both("提供最近的订单、回款或开工证明", "Show recent orders, receipts or proof of operation"),
        missing: TOO_SHORT,
        extract: |view| view.invoices()?.change_on_year(6),
    },
    Feature {
        name: "tax_revenue_volatility",
        source: TAX,
        part: "invoices",
        unit: Unit::Ratio,
        sign: RiskSign::Rises,
        label: both(
            "近12个月月收入波动（标准差÷月均值）",
            "Revenue volatility: standard deviation over mean of 12 monthly amounts",
        ),
        text: both("各月收入波动大", "Monthly revenue swings widely"),
        remedy: both("争取稳定的长期客户或合同", "Win steady customers or longer contracts"),
        missing: TOO_SHORT,
        extract: |view| {
            let amounts = view.invoices()?.monthly_sales(12)?;
            let mean = amounts.iter().sum::<f64>() / 12.0;
            let variance = amounts.iter().map(|a| (a - mean).powi(2)).sum::<f64>() / 12.0;
            (mean > 0.0).then(|| variance.sqrt() / mean)
        },
    },
    Feature {
        name: "tax_invoices",
        source: TAX,
        part: "invoices",
        unit: Unit::Count,
        sign: RiskSign::Falls,
        label: both("近12个月开具的有效发票数", "Valid invoices issued in the last 12 months"),
        text: both("近12个月开票次数少", "Few invoices were issued in the last 12 months"),
        remedy: both("按实际交易逐笔开票", "Invoice each sale as it happens"),
        missing: NO_INVOICES,
        extract: |view| Some(view.invoices_of(12)?.count(12, |row| row.sales.count)),
    },
    Feature {
        name: "tax_active_months",
        source: TAX,
        part: "invoices",
        unit: Unit::Months,
        sign: RiskSign::Falls,
        label: both("近24个月有开票的月数", "Months with sales invoices among the last 24"),
        text: both("近24个月中有开票的月份少", "There were sales in few of the last 24 months"),
        remedy: both("保持连续经营并按月开票", "Trade, and invoice, every month"),
        missing: NO_INVOICES,
        extract: |view| Some(view.invoices_of(24)?.rows_in(24, 0).filter(|row| row.sales.count > 0).count() as f64),
    },
    Feature {
        name: "tax_months_since_sale",
        source: TAX,
        part: "invoices",
        unit: Unit::Months,
        sign: RiskSign::Rises,
        label: both("距最近一次开票的月数", "Months since the last sales invoice"),
        text: both("最近一段时间没有开票", "No sales invoice was issued lately"),
        remedy: both("说明停止开票的原因，提供恢复经营的证明", "Explain the pause and show that trading has resumed"),
        missing: NO_INVOICES,
        extract: |view| {
            let invoices = view.invoices()?;
            match invoices.rows.iter().rev().find(|row| row.sales.count > 0) {
                Some(row) => Some(f64::from(invoices.last.since(row.month))),
                None => Some(f64::from(invoices.covered_months())),
            }
        },
    },
    Feature {
        name: "tax_history_months",
        source: TAX,
        part: "invoices",
        unit: Unit::Months,
        sign: RiskSign::Falls,
        label: both("发票历史的月数（至多36）", "Months of invoice history, at most 36"),
        text: both("经营历史短", "The trading history is short"),
        remedy: both(
            "随经营时间延长自然改善；可补充其他经营证明",
            "Improves with time; other proof of trading can help",
        ),
        missing: NO_INVOICES,
        // Capped, so that the reach of a department's data is not taken for the firm's age.
        extract: |view| Some(f64::from(view.invoices()?.covered_months().min(36))),
    },
    Feature {
        name: "tax_longest_gap",
        source: TAX,
        part: "invoices",
        unit: Unit::Months,
        sign: RiskSign::Rises,
        label: both("近24个月最长连续未开票月数", "Longest run of months without sales among the last 24"),
        text: both("曾连续多月没有开票", "There was a long run of months without sales"),
        remedy: both("说明停产停业的原因", "Explain the months of standstill"),
        missing: NO_INVOICES,
        extract: longest_gap,
    },
    Feature {
        name: "tax_void_ratio",
        source: TAX,
        part: "invoices",
        unit: Unit::Ratio,
        sign: RiskSign::Rises,
        label: both("近24个月作废发票占比（作废÷全部开具）", "Void invoices over all issued, last 24 months"),
        text: both("作废发票占比高", "Many issued invoices were voided"),
        remedy: both("规范开票流程，减少作废", "Tidy up invoicing so that fewer are voided"),
        missing: NO_SALES,
        extract: |view| {
            let invoices = view.invoices()?;
            let void = invoices.count(24, |row| row.sales.void_count);
            let all = void + invoices.count(24, |row| row.sales.count);
            (all > 0.0).then(|| void / all)
        },
    },
    Feature {
        name: "tax_red_ratio",
        source: TAX,
        part: "invoices",
        unit: Unit::Ratio,
        sign: RiskSign::Rises,
        label: both("近24个月红字发票占比（红字÷有效）", "Red (negative) invoices over valid ones, last 24 months"),
        text: both("红字发票占比高，退货或冲销较多", "Many sales were reversed by red invoices"),
        remedy: both("减少退货和错开票，说明冲销原因", "Reduce returns and wrong invoices; explain the reversals"),
        missing: NO_SALES,
        extract: |view| {
            let invoices = view.invoices()?;
            let valid = invoices.count(24, |row| row.sales.count);
            (valid > 0.0).then(|| invoices.count(24, |row| row.sales.red_count) / valid)
        },
    },
    Feature {
        name: "tax_top_buyer_share",
        source: TAX,
        part: "invoices",
        unit: Unit::Ratio,
        sign: RiskSign::Rises,
        label: both(
            "最大客户占月收入的比重（近12个月加权）",
            "Largest buyer's share of a month's sales, last 12 months, weighted",
        ),
        text: both("收入过于依赖单一客户", "Sales depend on a single buyer"),
        remedy: both("拓展客户，降低集中度", "Find further customers"),
        missing: NO_SALES,
        extract: |view| view.invoices()?.top_share(|row| row.sales),
    },
    Feature {
        name: "tax_top_supplier_share",
        source: TAX,
        part: "invoices",
        unit: Unit::Ratio,
        sign: RiskSign::Rises,
        label: both(
            "最大供应商占月采购的比重（近12个月加权）",
            "Largest supplier's share of a month's purchases, last 12 months, weighted",
        ),
        text: both("采购过于依赖单一供应商", "Purchases depend on a single supplier"),
        remedy: both("增加备选供应商", "Find further suppliers"),
        missing: NO_PURCHASES,
        extract: |view| view.invoices()?.top_share(|row| row.purchases),
    },
    Feature {
        name: "tax_buyers",
        source: TAX,
        part: "invoices",
        unit: Unit::Count,
        sign: RiskSign::Falls,
        label: both("月均客户数（近12个月）", "Buyers per month with sales, last 12 months"),
        text: both("客户数量少", "There are few buyers"),
        remedy: both("拓展客户", "Find further customers"),
        missing: NO_INVOICES,
        extract: |view| Some(view.invoices()?.counterparties(|row| row.sales)),
    },
    Feature {
        name: "tax_suppliers",
        source: TAX,
        part: "invoices",
        unit: Unit::Count,
        sign: RiskSign::Falls,
        label: both("月均供应商数（近12个月）", "Suppliers per month with purchases, last 12 months"),
        text: both("供应商数量少", "There are few suppliers"),
        remedy: both("采购时取得合规进项发票", "Ask suppliers for proper invoices"),
        missing: NO_INVOICES,
        extract: |view| Some(view.invoices()?.counterparties(|row| row.purchases)),
    },
    Feature {
        name: "tax_purchase_months",
        source: TAX,
        part: "invoices",
        unit: Unit::Months,
        sign: RiskSign::Falls,
        label: both("近12个月有进项发票的月数", "Months with purchase invoices among the last 12"),
        text: both("有采购记录的月份少", "There were purchases in few months"),
        remedy: both("采购时取得合规进项发票", "Ask suppliers for proper invoices"),
        missing: NO_INVOICES,
        extract: |view| Some(view.invoices_of(12)?.rows_in(12, 0).filter(|row| row.purchases.count > 0).count() as f64),
    },
    Feature {
        name: "tax_gross_margin",
        source: TAX,
        part: "invoices",
        unit: Unit::Ratio,
        sign: RiskSign::Free,
        label: both(
            "进销差率（近12个月，（销−进）÷销）",
            "Margin between invoices: (sales − purchases) over sales, last 12 months",
        ),
        text: both("进销差异常，盈利空间存疑", "The margin between purchases and sales is out of line"),
        remedy: both("说明存货或成本情况，补齐进项发票", "Explain stock and costs; complete the purchase invoices"),
        missing: NO_PURCHASES,
        extract: |view| {
            let invoices = view.invoices()?;
            let sales = invoices.sum(12, |row| row.sales.amount).yuan();
            let purchases = invoices.sum(12, |row| row.purchases.amount).yuan();
            // Below −5 it says nothing more than "far more bought than sold".
            (sales > 0.0 && purchases > 0.0).then(|| ((sales - purchases) / sales).max(-5.0))
        },
    },
];

fn longest_gap(view: &View<'_>) -> Option<f64> {
    let invoices = view.invoices()?;
    let covered = invoices.covered_months().min(24);
    let (mut longest, mut run) = (0, 0);
    let mut sold = invoices.rows_in(covered, 0).filter(|row| row.sales.count > 0).map(|row| row.month).peekable();
    for back in (0..covered).rev() {
        let month = invoices.last.minus(back);
        if sold.next_if_eq(&month).is_some() {
            run = 0;
        } else {
            run += 1;
            longest = longest.max(run);
        }
    }
    Some(f64::from(longest))
}
