//! What the tax department shares.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{Life, Parts, Severity};
use crate::domain::{Fen, Month};

/// What the tax department shares.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaxRecord {
    /// The data are complete up to the end of this day.
    pub as_of: Date,
    /// The firm's name in the register.
    pub name: Option<String>,
    /// Taxpayer status; abnormal (非正常户) is a knock-out.
    pub status: Option<TaxpayerStatus>,
    /// Industry, a code of GB/T 4754 with its section letter, for instance `C33`, `F51`, `I65`.
    pub industry: Option<String>,
    /// When the firm was registered.
    pub registered_on: Option<Date>,
    /// Persons employed as declared with the tax return.
    pub declared_heads: Option<u32>,
    /// Total assets at the last year's end.
    #[serde(rename = "total_assets_fen")]
    pub total_assets: Option<Fen>,
    /// The latest tax credit rating. `None`: the department does not share it; `Some(None)`, `null` in JSON: the firm has none,
    /// as it says. The key left out says nothing.
    #[serde(default, deserialize_with = "super::stated", skip_serializing_if = "Option::is_none")]
    pub rating: Option<Option<TaxRating>>,
    /// Returns, one per period and tax; ascending by month.
    pub filings: Option<Vec<Filing>>,
    /// Tax arrears.
    pub arrears: Option<TaxArrears>,
    /// Invoices by month; ascending; a month from `invoices_since` on without a row had no invoice.
    pub invoices: Option<Vec<InvoiceMonth>>,
    /// The first month that the department's invoice data cover for this firm.
    pub invoices_since: Option<Month>,
}

impl TaxRecord {
    /// The parts that the department does not share, by their names in the record.
    pub fn not_shared(&self) -> Vec<String> {
        super::absent_parts([
            ("status", self.status.is_none()),
            ("declared_heads", self.declared_heads.is_none()),
            ("rating", self.rating.is_none()),
            ("filings", self.filings.is_none()),
            ("arrears", self.arrears.is_none()),
            ("invoices", self.invoices.is_none()),
        ])
    }

    /// A record of which the department shares nothing but its date.
    pub fn sharing_nothing(as_of: Date) -> TaxRecord {
        TaxRecord {
            as_of,
            name: None,
            status: None,
            industry: None,
            registered_on: None,
            declared_heads: None,
            total_assets: None,
            rating: None,
            filings: None,
            arrears: None,
            invoices: None,
            invoices_since: None,
        }
    }
}

impl Parts for TaxRecord {
    fn drop_part(&mut self, part: &str) {
        match part {
            "name" => self.name = None,
            "status" => self.status = None,
            "industry" => self.industry = None,
            "registered_on" => self.registered_on = None,
            "declared_heads" => self.declared_heads = None,
            "total_assets" => self.total_assets = None,
            "rating" => self.rating = None,
            "filings" => self.filings = None,
            "arrears" => self.arrears = None,
            // The month in which they begin says nothing without them.
            "invoices" => (self.invoices, self.invoices_since) = (None, None),
            _ => {}
        }
    }
}

/// Whether the tax department can reach the taxpayer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaxpayerStatus {
    /// 正常
    Normal,
    /// 非正常户: does not file and cannot be reached.
    Abnormal,
    /// 注销: deregistered.
    Deregistered,
}

impl TaxpayerStatus {
    /// The name in records and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            TaxpayerStatus::Normal => "normal",
            TaxpayerStatus::Abnormal => "abnormal",
            TaxpayerStatus::Deregistered => "deregistered",
        }
    }
}

/// The tax credit rating of one year (纳税缴费信用评价). M, new or no revenue, is not bad credit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaxRating {
    /// The grade.
    pub grade: TaxRatingGrade,
    /// The year that was rated.
    pub year: i16,
}

/// What a tax credit rating is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RatingRegime {
    /// How the firm paid its taxes.
    TaxOnly,
    /// How it paid taxes and social insurance contributions, which features of social insurance count as well.
    WithSocialInsurance,
}

impl TaxRating {
    /// The rules under which the year was rated: the rules in force since 2025-07-01 apply to ratings of 2025 and later.
    pub fn regime(&self) -> RatingRegime {
        if self.year >= 2025 { RatingRegime::WithSocialInsurance } else { RatingRegime::TaxOnly }
    }
}

/// Grades of the tax credit rating, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum TaxRatingGrade {
    /// 90 points and more.
    A,
    /// 70 to 89.
    B,
    /// New, or no revenue.
    M,
    /// 40 to 69.
    C,
    /// Under 40.
    D,
}

/// One return.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Filing {
    /// The last month of the period.
    pub month: Month,
    /// The tax.
    pub tax: TaxKind,
    /// Revenue declared for the period.
    #[serde(rename = "declared_revenue_fen")]
    pub declared_revenue: Fen,
    /// Tax due.
    #[serde(rename = "due_fen")]
    pub due: Fen,
    /// Tax paid so far.
    #[serde(rename = "paid_fen")]
    pub paid: Fen,
    /// When it had to be filed.
    pub due_on: Date,
    /// When it was filed; `None` when it has not been.
    #[serde(deserialize_with = "super::said")]
    pub filed_on: Option<Date>,
}

/// A tax that a return is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaxKind {
    /// 增值税, monthly.
    Vat,
    /// 企业所得税, quarterly.
    IncomeTax,
}

/// Tax arrears as of the record's date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaxArrears {
    /// What is owed; zero when nothing is.
    #[serde(rename = "amount_fen")]
    pub amount: Fen,
    /// Since when, where something is owed.
    pub since: Option<Date>,
    /// How serious it is, where it is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// When the conduct ended, where it is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_on: Option<Date>,
    /// When it was made good, where it is said: from that day on it counts no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repaired_on: Option<Date>,
    /// The last day on which it may be held against the firm, where it is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_end: Option<Date>,
}

impl TaxArrears {
    /// The bounds of its life.
    pub fn life(&self) -> Life {
        Life { ended_on: self.ended_on, repaired_on: self.repaired_on, display_end: self.display_end }
    }
}

/// One month's invoices. Amounts are net of red (negative) invoices and exclude tax.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct InvoiceMonth {
    /// The month.
    pub month: Month,
    /// Invoices issued.
    pub sales: InvoiceSide,
    /// Invoices received.
    pub purchases: InvoiceSide,
}

/// The invoices of one month in one direction.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct InvoiceSide {
    /// Valid invoices.
    pub count: u32,
    /// Their amount, net of red ones; negative where red ones outweigh.
    #[serde(rename = "amount_fen")]
    pub amount: Fen,
    /// Their tax, net of red ones.
    #[serde(rename = "tax_fen")]
    pub tax: Fen,
    /// Different counterparties.
    pub counterparties: u32,
    /// Void invoices.
    pub void_count: u32,
    /// Red (negative) invoices, counted among the valid ones.
    pub red_count: u32,
    /// The amount of red invoices, zero or negative.
    #[serde(rename = "red_amount_fen")]
    pub red_amount: Fen,
    /// The largest counterparty's share of the month's positive amount, 0 to 1; 0 where there is none.
    pub top_share: f64,
}
