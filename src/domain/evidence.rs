//! What the departments say of a firm: one record per source, gathered in a dossier.
//!
//! An `Option` in a record means that the department does not share that part. It is never the same as zero or as none:
//! "no arrears" is `Some` of an amount of zero, "arrears unknown" is `None`.
//!
//! The JSON form of a record is what a department sends by default (beside the firm's code, `uscc`), what a mapping for a
//! department of another shape produces, and what the decision record keeps.

use std::fmt;

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Deserializer, Serialize};

use super::{Fen, Month, Uscc};

/// A kind of department that evidence comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// 税务: filings, invoices, arrears, rating.
    Tax,
    /// 社保: insured heads and contributions by month.
    SocialInsurance,
    /// 履约: utility bills, loans, supplier payments, wage arrears, enforcement.
    PaymentHistory,
}

impl SourceKind {
    /// All of them, in the order in which answers list them.
    pub const ALL: [SourceKind; 3] = [SourceKind::Tax, SourceKind::SocialInsurance, SourceKind::PaymentHistory];

    /// The name in settings, answers and metric labels.
    pub fn as_str(self) -> &'static str {
        match self {
            SourceKind::Tax => "tax",
            SourceKind::SocialInsurance => "social_insurance",
            SourceKind::PaymentHistory => "payment_history",
        }
    }
}

impl fmt::Display for SourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How the evidence of one source stands at the moment of a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceStatus {
    /// Fetched for this decision, and as of a recent date.
    Fresh,
    /// From the cache, within its time to live, and as of a recent date.
    Cached,
    /// There, but as of a date too long ago, or kept past its time to live because the department is down.
    Stale,
    /// The department answered that it does not know the firm.
    Absent,
    /// The department did not answer in time, or refused.
    Unavailable,
    /// The department answered something that cannot be trusted: another firm, an impossible value, garbage.
    Invalid,
}

impl EvidenceStatus {
    /// Whether evidence of this status comes with a record.
    pub fn has_record(self) -> bool {
        matches!(self, EvidenceStatus::Fresh | EvidenceStatus::Cached | EvidenceStatus::Stale)
    }

    /// The name in answers and metric labels.
    pub fn as_str(self) -> &'static str {
        match self {
            EvidenceStatus::Fresh => "fresh",
            EvidenceStatus::Cached => "cached",
            EvidenceStatus::Stale => "stale",
            EvidenceStatus::Absent => "absent",
            EvidenceStatus::Unavailable => "unavailable",
            EvidenceStatus::Invalid => "invalid",
        }
    }
}

/// The evidence of one source, with where it comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence<R> {
    /// How it stands.
    pub status: EvidenceStatus,
    /// The record: there exactly when the status is `fresh`, `cached` or `stale`.
    pub record: Option<R>,
    /// The date that the department's data are as of.
    pub as_of: Option<Date>,
    /// When the department answered.
    pub fetched_at: Option<Timestamp>,
    /// SHA-256 of the department's reply body, in hexadecimal.
    pub digest: Option<String>,
    /// Where there is no record: what went wrong, in English, without any detail of the firm.
    pub detail: Option<String>,
}

impl<R> Evidence<R> {
    /// Evidence that is not there, and why.
    pub fn missing(status: EvidenceStatus, detail: impl Into<String>) -> Evidence<R> {
        Evidence { status, record: None, as_of: None, fetched_at: None, digest: None, detail: Some(detail.into()) }
    }
}

/// All that the departments say of one firm for one decision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dossier {
    /// The firm.
    pub uscc: Uscc,
    /// The tax department's evidence.
    pub tax: Evidence<TaxRecord>,
    /// The social insurance department's evidence.
    pub social_insurance: Evidence<SocialInsuranceRecord>,
    /// The payment history.
    pub payment_history: Evidence<PaymentHistoryRecord>,
}

/// One line on a source for an answer: status and dates, without the record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EvidenceLine {
    /// The source.
    pub source: SourceKind,
    /// How its evidence stands.
    pub status: EvidenceStatus,
    /// The date that the data are as of.
    pub as_of: Option<Date>,
    /// When the department answered.
    pub fetched_at: Option<Timestamp>,
    /// SHA-256 of the reply.
    pub digest: Option<String>,
    /// What went wrong, where there is no record.
    pub detail: Option<String>,
}

impl Dossier {
    /// The status and dates of each source, in the order of [`SourceKind::ALL`].
    pub fn lines(&self) -> Vec<EvidenceLine> {
        fn line<R>(source: SourceKind, e: &Evidence<R>) -> EvidenceLine {
            EvidenceLine {
                source,
                status: e.status,
                as_of: e.as_of,
                fetched_at: e.fetched_at,
                digest: e.digest.clone(),
                detail: e.detail.clone(),
            }
        }
        vec![
            line(SourceKind::Tax, &self.tax),
            line(SourceKind::SocialInsurance, &self.social_insurance),
            line(SourceKind::PaymentHistory, &self.payment_history),
        ]
    }

    /// Whether the source gave a record.
    pub fn has(&self, source: SourceKind) -> bool {
        match source {
            SourceKind::Tax => self.tax.record.is_some(),
            SourceKind::SocialInsurance => self.social_insurance.record.is_some(),
            SourceKind::PaymentHistory => self.payment_history.record.is_some(),
        }
    }
}

/// Reads a date whose key must be there. `null` says that something has not happened, for instance that a return was never
/// filed; a key left out says nothing, and must not be read as the worst.
fn said<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Date>, D::Error> {
    Option::deserialize(from)
}

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
    /// The latest tax credit rating.
    pub rating: Option<TaxRating>,
    /// Returns, one per period and tax; ascending by month.
    pub filings: Option<Vec<Filing>>,
    /// Tax arrears.
    pub arrears: Option<TaxArrears>,
    /// Invoices by month; ascending; a month from `invoices_since` on without a row had no invoice.
    pub invoices: Option<Vec<InvoiceMonth>>,
    /// The first month that the department's invoice data cover for this firm.
    pub invoices_since: Option<Month>,
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

/// The tax credit rating of one year (纳税缴费信用评价). M, new or no revenue, is not bad credit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaxRating {
    /// The grade.
    pub grade: TaxRatingGrade,
    /// The year that was rated.
    pub year: i16,
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
    #[serde(deserialize_with = "said")]
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

/// What the social insurance department shares.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SocialInsuranceRecord {
    /// The data are complete up to the end of this day.
    pub as_of: Date,
    /// Contributions by month; ascending; a month between the first and `as_of` without a row was not reported.
    pub months: Vec<ContributionMonth>,
    /// Arrears; `None` when not shared.
    pub arrears: Option<ContributionArrears>,
    /// The local minimum contribution base of a person and month.
    #[serde(rename = "minimum_base_fen")]
    pub minimum_base: Option<Fen>,
}

/// One month's contributions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContributionMonth {
    /// The month.
    pub month: Month,
    /// Insured persons.
    pub heads: u32,
    /// The sum of the contribution bases.
    #[serde(rename = "base_fen")]
    pub base: Fen,
    /// Contributions due.
    #[serde(rename = "due_fen")]
    pub due: Fen,
    /// Contributions paid so far.
    #[serde(rename = "paid_fen")]
    pub paid: Fen,
}

/// Contributions owed as of the record's date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContributionArrears {
    /// Months owed.
    pub months: u32,
    /// The amount.
    #[serde(rename = "amount_fen")]
    pub amount: Fen,
}

/// What is known of how the firm pays.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PaymentHistoryRecord {
    /// The data are complete up to the end of this day.
    pub as_of: Date,
    /// Utility bills, ascending by month.
    pub bills: Option<Vec<UtilityBill>>,
    /// Loans of all banks together, by month, ascending; empty when the firm never borrowed.
    pub loans: Option<Vec<LoanMonth>>,
    /// Average delay of payments to suppliers, by month, ascending.
    pub supplier_delays: Option<Vec<SupplierDelay>>,
    /// Wage-arrears findings.
    pub wage_arrears: Option<Vec<WageArrears>>,
    /// Court enforcement against the firm; open enforcement is a knock-out.
    pub enforcements: Option<Vec<Enforcement>>,
}

/// A month's electricity bill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UtilityBill {
    /// The month of consumption.
    pub month: Month,
    /// Kilowatt-hours.
    pub kwh: u64,
    /// The amount.
    #[serde(rename = "amount_fen")]
    pub amount: Fen,
    /// When it had to be paid.
    pub due_on: Date,
    /// When it was paid; `None` when it has not been.
    #[serde(deserialize_with = "said")]
    pub paid_on: Option<Date>,
}

/// The state of a firm's loans at the end of a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoanMonth {
    /// The month.
    pub month: Month,
    /// What is drawn.
    #[serde(rename = "balance_fen")]
    pub balance: Fen,
    /// What may be drawn.
    #[serde(rename = "line_fen")]
    pub line: Fen,
    /// Days past due, the worst of the loans.
    pub days_past_due: u32,
}

/// How late a firm paid its suppliers in a month.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SupplierDelay {
    /// The month.
    pub month: Month,
    /// Average days after the agreed date; negative when early.
    pub days: f64,
}

/// A finding that wages were not paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WageArrears {
    /// When it was found.
    pub found_on: Date,
    /// The amount.
    #[serde(rename = "amount_fen")]
    pub amount: Fen,
    /// When it was made good, if it was.
    #[serde(deserialize_with = "said")]
    pub repaired_on: Option<Date>,
}

/// A court enforcement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enforcement {
    /// When it began.
    pub opened_on: Date,
    /// When it ended; `None` while it is open.
    #[serde(deserialize_with = "said")]
    pub closed_on: Option<Date>,
    /// The amount.
    #[serde(rename = "amount_fen")]
    pub amount: Fen,
}
