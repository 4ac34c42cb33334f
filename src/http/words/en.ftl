# All texts of Yuxin in English. Keys and variables are those of zh-CN.ftl; tests compare them.

## General
product = Yuxin
product-tagline = Credit scoring for small firms · Finance office
notice = This is a decision aid, not a credit-bureau report (征信报告); the bank decides.
skip-to-content = Skip to content
log-out = Log out
missing = missing
none = none
value-months = { $count } mo.
value-days = { $count } d
value-persons = { $count } pers.
month = Month
unit-money-axis = thousand yuan
separator = ,{" "}

## Roles
role-officer = Officer
role-supervisor = Supervisor
role-observer = Observer
role-admin = Administrator

## Login
login-title = Log in
login-heading = Log in to the console
login-name = User name
login-password = Password
login-submit = Log in
login-wrong = The user name or the password is wrong. Please try again.
login-empty = Please enter your user name and password.
login-locked = Too many failed attempts for this user name. Please try again in { $minutes ->
        [one] { $minutes } minute
       *[other] { $minutes } minutes
    }.
login-needed = Please log in first.
login-expired = Your session has expired. Please log in again.
login-draft-kept = The reason you were writing has been kept; log in to go on.
login-logged-out = You have logged out.
login-cookies = This page had expired, or your browser did not accept its cookie. Please try again.

## Queue
queue-title = Cases
queue-heading = Cases for review
queue-tab-open = To do
queue-tab-asked = Waiting for answer
queue-tab-overdue = Overdue
queue-tab-closed = Closed
queue-tab-all = All
queue-filter-reason = Reason
queue-filter-reason-any = All reasons
queue-search = Firm name or credit code
queue-search-submit = Search
queue-search-clear = Clear
queue-firm = Firm
queue-reasons = Why referred
queue-score = Score
queue-grade = Grade
queue-amount = Amount
queue-opened = Received
queue-due = Due
queue-state = State
queue-empty = No case matches.
queue-empty-open = No case is waiting for you.
queue-total = { $total ->
        [one] { $total } case
       *[other] { $total } cases
    }, page { $page } of { $pages }
queue-previous = Previous
queue-next = Next
queue-pages = Pages
queue-states = Cases by state
queue-flagged = flagged

due-in-days = { $days ->
        [one] { $days } day left
       *[other] { $days } days left
    }
due-today = due today
due-overdue-days = overdue by { $days ->
        [one] { $days } day
       *[other] { $days } days
    }
due-overdue-today = overdue since today
due-closed = closed

state-open = To do
state-asked = Waiting for answer
state-closed = Closed

outcome-approve = Approve
outcome-refer = Refer to a person
outcome-decline = Decline

verdict-approve = Approve
verdict-decline = Decline
verdict-ask = Ask for more

size-large = large
size-medium = medium
size-small = small
size-micro = micro
size-by-insured = { $class } (staff counted by insurance)
size-undetermined = size undetermined

## Case page
case-title = Case
case-back = Back to the cases
case-to-review = Go to the review
case-masked-firm = (firm hidden)
case-unnamed-firm = (the tax department gave no name)
case-code = Unified social credit code
case-code-suspect = check character in doubt
case-opened = Received { $date }
case-due = Due { $date }
case-result = Automatic result
case-outcome = Outcome
case-score = Score
case-score-interval = { $low } to { $high } once evidence is complete
case-pd = 12-month probability of default
case-grade = Grade
case-indicated-limit = Indicated limit
case-model = Model
case-policy = Policy
case-decided = Decided
case-valid-until = Valid until
case-request = Request
case-bank = Bank
case-amount = Amount asked for
case-purpose = Purpose
case-term = Term
case-term-months = { $months ->
        [one] { $months } month
       *[other] { $months } months
    }
case-size = Size
case-why = Why a person must look
case-why-none = The policy gave no reason.
case-do = What to do
case-knock-outs = Knock-outs
case-reasons = Principal reasons for lost points
case-reasons-none = No characteristic is below average.
case-reason-points = { $points } points lost
case-reason-missing = no data
reason-missing = { $name }: { $why }
reason-left-out = { $name }: left out, because a dispute was upheld and the department has not put its data right
reason-not-covered = { $name }: the firm’s consent does not cover this; unknown scores below average
reason-source-missing = { $name }: no data from this source ({ $source }); unknown scores below average
case-waterfall = Where the score comes from
case-waterfall-hint = From the score of the average firm of the training data, adding and subtracting each characteristic, to this firm’s score.
case-waterfall-start = Average firm
case-waterfall-end = This firm
case-waterfall-rest = { $count ->
        [one] { $count } other characteristic
       *[other] { $count } other characteristics
    }
case-waterfall-none = No points by characteristic were recorded for this case.
case-characteristic = Characteristic
case-value = This firm
case-points = Points
case-points-bar = Bar
case-evidence = Evidence
case-disputes = Disputes and re-scores of the firm
case-rescores = Judged again because an adverse fact counts no more
case-rescore-other = another decision on the firm
case-rescore-before = Before:
case-rescore-after = After:
case-history = History
case-history-none = Nothing has been done yet.
case-limit-granted = Limit granted: { $limit }
case-saved = Your review has been recorded.
case-next = Back to the list for the next case

## Purposes
purpose-working_capital = Working capital
purpose-equipment = Equipment
purpose-order = Production of an order
purpose-refinancing = Refinancing

## Review
review-heading = Review
review-verdict = Verdict
review-limit-wan = Limit granted (ten thousand yuan)
review-limit-yuan = Limit granted (yuan)
review-limit-hint = Only with an approval; at most the amount asked for, { $amount }. The indicated limit is { $indicated }.
review-reason = Reason
review-reason-hint = The bank will read this. { $minimum } to { $maximum } characters.
review-submit = Submit review
review-irreversible = An approval or a decline closes the case and cannot be taken back.
review-errors = Nothing has been submitted yet. Please correct:
review-error-verdict = Choose a verdict.
review-error-reason-short = Give a reason of at least { $minimum } characters (now { $length }).
review-error-reason-long = The reason may have at most { $maximum } characters (now { $length }).
review-error-limit-missing = An approval needs a limit.
review-error-limit-unreadable = The limit must be a number, for instance { $example }.
review-error-limit-zero = The limit must be more than zero.
review-error-limit-over = The limit may not exceed the amount asked for, { $amount }.
review-stale-closed = Before you submitted, { $user } closed this case at { $at } with “{ $verdict }”. Your review was not recorded.
review-stale-closed-self = You already closed this case at { $at } with “{ $verdict }”. Nothing was recorded twice.
review-stale-changed = While you were writing, { $user } recorded “{ $verdict }” at { $at }. Your review is not recorded yet; read the history, then submit again.
review-unavailable = The database does not answer, so it is not certain whether your review was recorded. Look at the history in a moment; if it is not there, submit again. What you wrote is kept below.
review-your-text = What you wrote
review-draft-restored = The reason you were writing before your session expired is back; check it, then submit.
review-closed = This case is closed
review-closed-by = Closed by { $user } at { $at }: { $verdict }
review-observer = Observers read; they do not review cases.

## Evidence
source-tax = Tax department
source-social_insurance = Social insurance
source-payment_history = Payment history
source-registry = Business register
source-court = Court
source-utilities = Utilities

evidence-status-fresh = fresh
evidence-status-cached = cached
evidence-status-stale = out of date
evidence-status-absent = firm unknown
evidence-status-unavailable = no answer
evidence-status-invalid = not usable
evidence-status-not_covered = not covered by the consent
evidence-as-of = Data as of { $date }
evidence-fetched = Fetched { $at }
evidence-missing-parts = Not shared by this department: { $parts }. Missing does not mean none.
evidence-complete = The department shared everything agreed.
evidence-gone-absent = The department answered that it has no record of this firm. This evidence is missing and scored as missing, not as good.
evidence-gone-unavailable = The department did not answer in time. This evidence is missing and scored as missing, not as good.
evidence-gone-invalid = The department’s answer was faulty and was not used. This evidence is missing and scored as missing, not as good.
evidence-gone-not-covered = The firm’s consent does not cover this department, so it was not asked. This evidence is missing and scored as missing, not as good.
evidence-stale = These data are old and may not show how the firm stands now.
evidence-detail = Technical detail

fact-taxpayer-status = Taxpayer status
fact-industry = Industry code
fact-registered = Registered
fact-declared-heads = Declared staff
fact-total-assets = Total assets
fact-rating = Tax credit rating
fact-rating-none = not rated
fact-rating-value = { $grade } (for { $year })
fact-tax-arrears = Tax arrears
fact-arrears-since = { $amount } since { $date }
fact-filings = Tax returns
fact-late-filings = Late returns in 24 months
fact-invoices = Invoices
fact-insured-heads = Insured staff (latest month)
fact-insurance-arrears = Contribution arrears
fact-insurance-arrears-value = { $amount }, { $months ->
        [one] { $months } month
       *[other] { $months } months
    }
fact-minimum-base = Local minimum contribution base
fact-bills = Electricity bills
fact-late-bills = Late electricity bills in 12 months
fact-loans = Loans
fact-loan-balance = Loan balance / credit line
fact-never-borrowed = never borrowed
fact-supplier-delays = Average delay to suppliers (latest month)
fact-days = { $days ->
        [one] { $days } day
       *[other] { $days } days
    }
fact-wage-arrears = Wage arrears (open)
fact-enforcements = Court enforcement (open)
fact-count-amount = { $count }, { $amount }
fact-times = { $count }

taxpayer-normal = normal
taxpayer-abnormal = abnormal (非正常户)
taxpayer-deregistered = deregistered

## Charts
chart-invoices = Invoices issued and received by month
chart-sales = Issued (sales)
chart-purchases = Received (purchases)
chart-revenue = Declared revenue by month
chart-heads = Insured staff by month
chart-heads-axis = persons
chart-kwh = Electricity by month
chart-kwh-axis = kWh
chart-days-past-due = Worst days past due on loans by month
chart-days-past-due-axis = days
chart-table = Show the figures
chart-gap = no data
chart-summary = { $title }, { $first } to { $last }. { $series }
chart-summary-series = { $name }: lowest { $low } ({ $low_month }), highest { $high } ({ $high_month }), latest { $latest } ({ $latest_month }).
chart-summary-gaps = { $months ->
        [one] { $months } month without data.
       *[other] { $months } months without data.
    }
chart-none = There are no data for the period shown.

## Refer reasons
refer-EVIDENCE_MISSING = Evidence missing
    .explanation = There are no data from this source: { $source } ({ $status }). The score is incomplete.
    .action = Check with the department, or ask the firm for the documents, before deciding.
refer-EVIDENCE_INCOMPLETE = Evidence incomplete
    .explanation = { $source } does not share: { $parts }. The score could change the outcome once it does.
    .action = Ask the department or the firm for these parts before deciding.
refer-EVIDENCE_STALE = Evidence out of date
    .explanation = The data of this source are too old: { $source }, as of { $as_of }.
    .action = Get current data from the department, or ask the firm how it stands now.
refer-SCORE_INTERVAL_CROSSES_CUTOFF = Score range spans several outcomes
    .explanation = Once the missing data are there the score may lie anywhere from { $low } to { $high }. The grades in between lead to different outcomes, so the missing data decide.
    .action = Get the missing data first, then judge.
refer-FACTS_CONTRADICT = Departments contradict each other
    .explanation = { $first_figure } is { $first }, { $second_figure } is { $second }: both cannot be true.
    .action = Ask both departments, or have the firm prove it, before deciding.
refer-HEADS_CONTRADICT = Staff figures contradict each other
    .explanation = The firm declared { $tax_heads } persons to the tax department; { $insured_heads } are insured.
    .action = Ask the firm to explain the difference (agency staff, re-employed pensioners); look at the payroll if need be.
refer-REVENUE_CONTRADICT = Revenue figures contradict each other
    .explanation = { $first_figure } is { $first }, { $second_figure } is { $second }: too far apart.
    .action = Ask the firm to explain the difference (sales without invoices, invoices of other periods); compare returns with invoices if need be.
refer-TREND_CONTRADICT = Trends contradict each other
    .explanation = { $first_figure } is { $first }, { $second_figure } is { $second }: they do not go together.
    .action = Ask the firm for the reason (energy saving, subcontracting, stock); have a look on site if need be.
refer-RECHECK_BEFORE_DECLINE = To be checked again before a decline
    .explanation = The facts that a decline would rest on ({ $source }) are as of { $as_of }, more than { $days_max } days ago.
    .action = Ask the department ({ $source }) how things stand now, and decide only once the fact is confirmed.
refer-CODE_SUSPECT = Credit code in doubt
    .explanation = The check character of the unified social credit code is wrong: an early registration, or a typing error.
    .action = Compare the code with the business licence.
refer-OVER_AUTOMATIC_LIMIT = Above the automatic limit
    .explanation = The indicated limit of { $limit } is above the automatic maximum of { $maximum }.
    .action = Set the limit yourself.
refer-GRADE_NEEDS_REVIEW = This grade needs a review
    .explanation = The grade is { $grade }; the policy wants a person to look at firms of this grade.
    .action = Weigh the reasons for lost points against the firm’s business.
refer-KNOCK_OUT_UNCHECKED = Knock-out could not be checked
    .explanation = { $source } did not share the data needed to rule out a knock-out (such as open court enforcement or an abnormal taxpayer).
    .action = Find out whether there is one before deciding.
refer-LIMIT_UNDER_MINIMUM = Indicated limit too small
    .explanation = The indicated limit of { $limit } is below the smallest loan, { $minimum }.
    .action = Check the revenue figures and whether the firm has other means to repay, then set the limit.
refer-REVENUE_UNKNOWN = Revenue unknown
    .explanation = { $source } shared neither declared revenue nor invoices, so no limit can be worked out.
    .action = Ask the firm for its returns or bank statements of the last 12 months and set the limit yourself.

refer-other = { $code }
    .explanation = The policy wants a person to look; its code is { $code }.
    .action = Follow the rules of the office.

figure-status = taxpayer or registration status ({ $source })
figure-industry = industry code ({ $source })
figure-registered_on = day of registration ({ $source })
figure-enforcements = enforcements (open/all that count) ({ $source })
figure-wage_arrears = wage arrears (open/all that count) ({ $source })
figure-bills = electricity bills of the same months (kWh/late/unpaid) ({ $source })
figure-declared_heads = staff declared ({ $source })
figure-insured_heads = insured staff ({ $source })
figure-declared_revenue_12m = revenue declared for 12 months ({ $source })
figure-invoiced_revenue_12m = revenue invoiced in 12 months ({ $source })
figure-invoiced_revenue_index_6m = invoiced revenue of 6 months over a year before ({ $source })
figure-kwh_index_6m = electricity of 6 months over a year before ({ $source })

## Knock-outs
knock-out-ENFORCEMENT_OPEN = Open court enforcement
    .explanation = A court is enforcing a claim against the firm, and it is not settled.
knock-out-TAXPAYER_ABNORMAL = Abnormal taxpayer (非正常户)
    .explanation = The tax department lists the firm as abnormal: it does not file and cannot be reached.
knock-out-TAXPAYER_DEREGISTERED = Tax registration cancelled
    .explanation = The firm’s tax registration has been cancelled.

## Error pages
error-back = Back to the cases
error-not-found = Page not found
    .explanation = There is no such page, or no such case. Please start from the list of cases.
error-forbidden = Not allowed
    .explanation = Your role may not do this. If you need to, ask the administrator.
error-admin = Administrators do not see cases
    .explanation = Administrators keep users and keys with the command line; they neither see nor review cases.
error-csrf = The request did not pass the security check
    .explanation = The form may have expired, or it was not sent from a page of this system. Nothing was changed. Go back, reload the page, and submit again.
error-too-large = Too much text
    .explanation = Nothing was changed. Please shorten the text and submit again.
error-too-slow = The form took too long
    .explanation = It did not arrive in time; nothing was changed. Check the connection and try again.
error-bad-form = The form could not be read
    .explanation = Something is missing or malformed; nothing was changed. Please go back and try again.
error-unavailable = The data cannot be reached just now
    .explanation = The database does not answer; nothing was changed. Try again in a moment; if it goes on, tell the administrator.

## Ledger of looks
ledger-title = Who looked at a firm
ledger-heading = Ledger of looks at a firm
ledger-explanation = Every look at the firm: who, under which consent, for what, which departments were asked and what came back. The firm may be given this list.
ledger-code = Unified social credit code
ledger-show = Show
ledger-code-wrong = This is not a valid unified social credit code; check it against the licence.
ledger-of = Looks at { $code }
ledger-count = { $count ->
        [one] { $count } look
       *[other] { $count } looks
    }, newest first
ledger-none = Nobody has looked at this firm.
ledger-at = When
ledger-who = Who
ledger-office = Finance office: { $who }
ledger-purpose = Purpose
ledger-consent = Consent
ledger-asked = Departments and what came back
ledger-decision = Decision
ledger-end = Result
ledger-unanswered = not waited for
ledger-digest = reply { $digest }…
look-decided = decision made
look-consent_revoked = dropped: consent revoked meanwhile
look-consent_used = dropped: consent used up meanwhile
look-repeated = dropped: the request was answered already
look-abandoned = broken off before an answer
look-read = record read
look-probed = department probed by hand
## Departments
departments-title = Departments
departments-explanation = How the departments' interfaces fare, as seen by this server. Counts are since it started; times and answers are those of the last calls. Where a department gives no answer, decisions name it, and the firm is never scored as if the evidence were good or bad.
departments-department = Department
departments-state = State
departments-breaker-closed = asked
departments-breaker-open = not asked for a moment
departments-breaker-probing = trying again
departments-answered = Answered
departments-answered-of = { $share } of the last { $count } { $count ->
        [one] call
       *[other] calls
    }
departments-none-asked = not asked yet
departments-p50 = Half within
departments-p95 = 95 % within
departments-inflight = Under way / at most
departments-retries = Tried again
departments-hedges = Second call beside a slow one
departments-hedges-of = { $count }, of which { $won } faster
departments-cache = Kept answers
departments-cache-of = used { $hits }, used although out of date { $stale }; of { $kept } { $kept ->
        [one] firm
       *[other] firms
    } now
departments-last-failure = Last failure
departments-failure-connect = cannot be reached
departments-failure-timeout = too late
departments-failure-reset = hung up
departments-failure-status = answered with an error
departments-failure-too_large = reply too large
departments-failure-invalid = reply not usable
departments-failure-full = too many requests at once

## Disputes
disputes-title = Disputes
disputes-heading = Disputes
disputes-open = waiting
disputes-answered = answered
disputes-none = There are no disputes.
dispute-title = Dispute
dispute-fact = Disputed
dispute-fact-decision = The decision as a whole
dispute-fact-source = { $source }: all that it says
part-status = Taxpayer status
part-industry = Industry code
part-registered_on = Day of registration
part-declared_heads = Persons declared
part-total_assets = Total assets
part-rating = Tax credit rating
part-filings = Tax returns
part-arrears = Arrears
part-invoices = Invoices
part-months = Contributions
part-minimum_base = Minimum contribution base
part-bills = Electricity bills
part-loans = Loans
part-supplier_delays = Delays to suppliers
part-wage_arrears = Wage arrears
part-enforcements = Court enforcement
part-record = All that it says
part-row = { $part }, no. { $row }
dispute-fact-part = { $source }: { $part }
dispute-due = Answer due
dispute-answered = answered
dispute-intake = Take a dispute in for a firm
dispute-about = Id of the case or of the decision
dispute-statement = What the firm says
dispute-submit = Take in
dispute-taken-by = Taken in by
dispute-by-bank = the bank
dispute-standings = Score with and without the fact
dispute-with = With it:
dispute-without = Without it:
dispute-standing = score { $score }, grade { $grade }, outcome { $outcome }
dispute-answer = Written answer
dispute-answer-text = Answer (the bank sees it)
dispute-answer-submit = Send the answer
dispute-verdict = Finding
dispute-verdict-upheld = The firm is right
dispute-verdict-rejected = The fact stands
dispute-verdict-corrected = The department has put its data right
dispute-error-about = Enter the id of a case or of a decision that exists.
dispute-error-fact = Choose what is disputed from the list.
dispute-error-open = This is disputed already.
dispute-error-limit = { $most } disputes on this part of the firm's data are open already; answer one of them first.
dispute-left-out = The office has found the firm right. The department still states the fact as it was, so it counts here neither for the score nor as a knock-out: it is treated as missing until the department puts it right.
evidence-status-left_out = left out, a dispute was upheld
evidence-left-out = Left out, because a dispute was upheld and the department has not put it right: { $parts }. It counts neither for the score nor as a knock-out.
dispute-error-text = Write { $minimum } to { $maximum } characters; these are { $length }.
dispute-error-resolved = The dispute was answered meanwhile; what you wrote was not recorded.
