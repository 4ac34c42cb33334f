# 虞信的全部界面文字（简体中文）。与 en.ftl 的键和变量须一致，由测试核对。

## 通用
product = 虞信
product-tagline = 小微企业信用评分 · 财政金融办公室
notice = 本结果仅作信贷决策参考，不是征信报告；是否放贷由银行自行决定。
skip-to-content = 跳到正文
log-out = 退出
missing = 缺失
none = 无
value-months = { $count } 个月
value-days = { $count } 天
value-persons = { $count } 人
month = 月份
unit-money-axis = 万元
separator = 、

## 角色
role-officer = 经办
role-supervisor = 主管
role-observer = 观察员
role-admin = 管理员

## 登录
login-title = 登录
login-heading = 登录工作台
login-name = 用户名
login-password = 密码
login-submit = 登录
login-wrong = 用户名或密码不正确，请重新输入。
login-empty = 请输入用户名和密码。
login-locked = 连续登录失败次数过多，该用户名暂时不能登录，请在 { $minutes } 分钟后再试。
login-needed = 请先登录。
login-expired = 登录已过期，请重新登录。
login-draft-kept = 您刚才填写的理由已为您保留，登录后可继续提交。
login-logged-out = 您已退出。
login-cookies = 登录页面已过期，或浏览器未接受 Cookie。请再试一次。

## 案件列表
queue-title = 案件
queue-heading = 待审案件
queue-tab-open = 待处理
queue-tab-asked = 已问询
queue-tab-overdue = 已超期
queue-tab-closed = 已办结
queue-tab-all = 全部
queue-filter-reason = 转办原因
queue-filter-reason-any = 全部原因
queue-search = 企业名称或信用代码
queue-search-submit = 查询
queue-search-clear = 清除条件
queue-firm = 企业
queue-reasons = 转办原因
queue-score = 评分
queue-grade = 等级
queue-amount = 申请金额
queue-opened = 收到日期
queue-due = 办理期限
queue-state = 状态
queue-empty = 没有符合条件的案件。
queue-empty-open = 目前没有待处理的案件。
queue-total = 共 { $total } 件，第 { $page } / { $pages } 页
queue-previous = 上一页
queue-next = 下一页
queue-pages = 翻页
queue-states = 按状态查看
queue-flagged = 系统标记

due-in-days = 剩 { $days } 天
due-today = 今天到期
due-overdue-days = 超期 { $days } 天
due-overdue-today = 今天刚超期
due-closed = 已办结

state-open = 待处理
state-asked = 已问询
state-closed = 已办结

outcome-approve = 同意
outcome-refer = 转人工
outcome-decline = 拒绝

verdict-approve = 建议支持
verdict-decline = 不同意
verdict-ask = 要求补充材料

size-large = 大型
size-medium = 中型
size-small = 小型
size-micro = 微型
size-by-insured = { $class }（人数按参保人数计）
size-undetermined = 规模无法判定

## 案件页
case-title = 案件
case-back = 返回案件列表
case-to-review = 去填写意见
case-masked-firm = （企业名称已隐去）
case-unnamed-firm = （税务部门未提供名称）
case-code = 统一社会信用代码
case-code-suspect = 代码校验存疑
case-opened = 收到 { $date }
case-due = 期限 { $date }
case-result = 系统测算
case-outcome = 系统结论
case-score = 评分
case-score-interval = 证据补齐后可能为 { $low }–{ $high }
case-pd = 12 个月违约概率
case-grade = 等级
case-indicated-limit = 测算额度
case-model = 模型
case-policy = 授信政策
case-decided = 测算时间
case-valid-until = 结果有效至
case-request = 申请
case-bank = 银行
case-amount = 申请金额
case-purpose = 用途
case-term = 期限
case-term-months = { $months } 个月
case-size = 规模
case-why = 为何转人工
case-why-none = 系统未给出转人工原因。
case-do = 建议
case-knock-outs = 一票否决情形
case-reasons = 主要扣分原因
case-reasons-none = 没有低于平均水平的指标。
case-reason-points = 扣 { $points } 分
case-reason-missing = 数据缺失
reason-missing = { $name }：{ $why }
reason-source-missing = { $name }：没有{ $source }的数据，按缺失计分，低于平均水平
case-waterfall = 评分由来
case-waterfall-hint = 从训练数据中平均企业的得分出发，逐项加减，得到本企业得分。
case-waterfall-start = 平均企业
case-waterfall-end = 本企业得分
case-waterfall-rest = 其余 { $count } 项合计
case-waterfall-none = 本案未记录分项得分。
case-characteristic = 指标
case-value = 本企业数值
case-points = 加减分
case-points-bar = 图示
case-evidence = 证据
case-history = 办理记录
case-history-none = 尚无办理记录。
case-limit-granted = 批准额度 { $limit }
case-saved = 您的意见已记录。
case-next = 返回列表办理下一件

## 用途
purpose-working_capital = 流动资金
purpose-equipment = 购置设备
purpose-order = 订单生产
purpose-refinancing = 续贷

## 办理意见
review-heading = 办理意见
review-verdict = 意见
review-limit-wan = 批准额度（万元）
review-limit-yuan = 批准额度（元）
review-limit-hint = 仅在建议支持时填写；不超过申请金额 { $amount }。测算额度为 { $indicated }。
review-reason = 理由
review-reason-hint = 银行会看到这段文字。{ $minimum } 至 { $maximum } 个字。
review-submit = 提交意见
review-irreversible = 同意或不同意提交后，案件即办结，不能撤回。
review-errors = 意见未提交，请修改以下内容：
review-error-verdict = 请选择一项意见。
review-error-reason-short = 请写明理由，至少 { $minimum } 个字（现为 { $length } 个字）。
review-error-reason-long = 理由不能超过 { $maximum } 个字（现为 { $length } 个字）。
review-error-limit-missing = 建议支持须填写批准额度。
review-error-limit-unreadable = 额度须为数字，例如 { $example }。
review-error-limit-zero = 批准额度须大于零。
review-error-limit-over = 批准额度不能超过申请金额 { $amount }。
review-stale-closed = 您提交之前，{ $user } 已于 { $at } 办结本案，意见为“{ $verdict }”。您的意见没有记录。
review-stale-closed-self = 您已于 { $at } 办结本案，意见为“{ $verdict }”。这次提交没有重复记录。
review-stale-changed = 您填写期间，{ $user } 于 { $at } 提交了“{ $verdict }”。您的意见尚未记录；请看过办理记录后再次提交。
review-unavailable = 数据库暂时没有响应，无法确认意见是否已记录。请稍后刷新查看办理记录；若没有，再次提交。您填写的内容保留在下方。
review-your-text = 您填写的内容
review-draft-restored = 已恢复您登录过期前填写的理由，请核对后提交。
review-closed = 本案已办结
review-closed-by = { $user } 于 { $at } 办结：{ $verdict }
review-observer = 观察员只读，不办理案件。

## 证据
source-tax = 税务部门
source-social_insurance = 社保部门
source-payment_history = 履约记录
source-registry = 市场监管部门
source-court = 法院
source-utilities = 水电部门

evidence-status-fresh = 最新
evidence-status-cached = 缓存
evidence-status-stale = 过期
evidence-status-absent = 查无此户
evidence-status-unavailable = 未答复
evidence-status-invalid = 不可信
evidence-as-of = 数据截至 { $date }
evidence-fetched = 取得于 { $at }
evidence-missing-parts = 该部门未提供：{ $parts }。缺失不等于没有。
evidence-complete = 该部门提供了全部约定内容。
evidence-gone-absent = 该部门答复没有这家企业的记录。这部分证据缺失，评分按缺失处理，不当作良好。
evidence-gone-unavailable = 该部门未在时限内答复。这部分证据缺失，评分按缺失处理，不当作良好。
evidence-gone-invalid = 该部门的答复有误，未予采用。这部分证据缺失，评分按缺失处理，不当作良好。
evidence-stale = 数据较旧，可能不反映企业现状。
evidence-detail = 技术细节

fact-taxpayer-status = 纳税人状态
fact-industry = 行业代码
fact-registered = 成立日期
fact-declared-heads = 申报从业人数
fact-total-assets = 资产总额
fact-rating = 纳税信用等级
fact-rating-value = { $grade } 级（{ $year } 年度）
fact-tax-arrears = 欠税
fact-arrears-since = { $amount }，自 { $date } 起
fact-filings = 纳税申报
fact-late-filings = 近 24 个月逾期申报
fact-invoices = 发票
fact-insured-heads = 参保人数（最近月）
fact-insurance-arrears = 社保欠费
fact-insurance-arrears-value = { $amount }，{ $months } 个月
fact-minimum-base = 当地最低缴费基数
fact-bills = 电费
fact-late-bills = 近 12 个月逾期缴电费
fact-loans = 贷款记录
fact-loan-balance = 贷款余额 / 授信额度
fact-never-borrowed = 从未贷款
fact-supplier-delays = 付供应商平均延期（最近月）
fact-days = { $days } 天
fact-wage-arrears = 欠薪记录（未了结）
fact-enforcements = 法院执行（未了结）
fact-count-amount = { $count } 件，{ $amount }
fact-times = { $count } 次

taxpayer-normal = 正常
taxpayer-abnormal = 非正常户
taxpayer-deregistered = 注销

## 图表
chart-invoices = 每月开票与收票金额
chart-sales = 开票（销售）
chart-purchases = 取得发票（进项）
chart-revenue = 每月申报收入
chart-heads = 每月参保人数
chart-heads-axis = 人
chart-kwh = 每月用电量
chart-kwh-axis = 千瓦时
chart-days-past-due = 每月贷款最长逾期
chart-days-past-due-axis = 天
chart-table = 查看数据表
chart-gap = 无数据
chart-summary = { $title }，{ $first } 至 { $last }。{ $series }
chart-summary-series = { $name }：最低 { $low }（{ $low_month }），最高 { $high }（{ $high_month }），最近 { $latest }（{ $latest_month }）。
chart-summary-gaps = { $months } 个月没有数据。
chart-none = 所示期间没有数据。

## 转人工原因
refer-EVIDENCE_MISSING = 证据缺失
    .explanation = 没有取得{ $source }的数据（{ $status }），评分不完整。
    .action = 请向该部门核实，或请企业提供相应材料后再定。
refer-EVIDENCE_INCOMPLETE = 证据不完整
    .explanation = { $source }未提供：{ $parts }；补齐后评分可能改变结论。
    .action = 请向该部门或企业补齐后再定。
refer-EVIDENCE_STALE = 证据过期
    .explanation = { $source }的数据截至 { $as_of }，已超过规定时限。
    .action = 请向该部门索取最新数据，或请企业说明近况。
refer-SCORE_INTERVAL_CROSSES_CUTOFF = 评分区间跨越等级界线
    .explanation = 缺失的数据补齐后，评分可能在 { $low } 至 { $high } 之间，其间等级不同、结论不同，取决于缺失的数据。
    .action = 请先补齐缺失的数据，再判断。
refer-HEADS_CONTRADICT = 人数相互矛盾
    .explanation = 向税务申报的从业人数为 { $tax_heads } 人，社保参保人数为 { $insured_heads } 人。
    .action = 请企业说明差异（如劳务派遣、退休返聘），必要时核查工资表。
refer-CODE_SUSPECT = 信用代码存疑
    .explanation = 统一社会信用代码的校验码不符，可能是早年登记，也可能是录入错误。
    .action = 请对照营业执照核对代码。
refer-OVER_AUTOMATIC_LIMIT = 超过自动审批额度
    .explanation = 测算额度 { $limit } 超过自动审批上限 { $maximum }。
    .action = 请人工核定额度。
refer-GRADE_NEEDS_REVIEW = 该等级须人工审核
    .explanation = 等级为 { $grade }，按政策须由人工审核。
    .action = 请结合扣分原因和企业经营情况判断。
refer-KNOCK_OUT_UNCHECKED = 否决情形未能核查
    .explanation = { $source }未提供所需数据，无法核查一票否决情形（如未了结的法院执行、非正常户）。
    .action = 请先查明有无此类情形，再作决定。
refer-LIMIT_UNDER_MINIMUM = 测算额度过低
    .explanation = 测算额度 { $limit } 低于最低放贷额度 { $minimum }。
    .action = 请核实收入数据，判断企业是否另有还款来源，再定额度。
refer-REVENUE_UNKNOWN = 收入不明
    .explanation = { $source }未提供申报收入，也没有发票数据，无法测算额度。
    .action = 请企业提供近 12 个月的申报表或流水，自行核定额度。

refer-other = { $code }
    .explanation = 政策要求人工审核，代码 { $code }。
    .action = 请按办公室规定处理。

## 一票否决
knock-out-ENFORCEMENT_OPEN = 有未了结的法院执行
    .explanation = 法院对该企业的强制执行尚未了结。
knock-out-TAXPAYER_ABNORMAL = 非正常户
    .explanation = 税务部门已将该企业认定为非正常户：未按期申报且无法联系。
knock-out-TAXPAYER_DEREGISTERED = 税务登记已注销
    .explanation = 该企业的税务登记已注销。

## 出错页面
error-back = 返回案件列表
error-not-found = 页面不存在
    .explanation = 没有这个页面，或没有这个案件。请从案件列表进入。
error-forbidden = 没有权限
    .explanation = 您的角色不能进行此项操作。如需权限，请联系管理员。
error-admin = 管理员不查看案件
    .explanation = 管理员通过命令行管理用户和密钥，不查看、不办理案件。
error-csrf = 请求未通过安全校验
    .explanation = 表单可能已过期，或不是从本系统页面提交的。没有做任何更改。请返回后刷新页面，重新提交。
error-too-large = 提交的内容过大
    .explanation = 没有做任何更改。请缩短文字后重新提交。
error-too-slow = 提交超时
    .explanation = 内容没有在时限内传完，没有做任何更改。请检查网络后重试。
error-bad-form = 无法读取提交的内容
    .explanation = 表单缺少内容或格式不对，没有做任何更改。请返回后重试。
error-unavailable = 暂时无法访问数据
    .explanation = 数据库暂时没有响应，没有做任何更改。请稍后再试；若持续出现，请联系管理员。
