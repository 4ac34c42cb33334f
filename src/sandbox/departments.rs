//! The departments over HTTP: tax, social insurance and payment history on one listener, a list of the firms, and how often each
//! department was asked.

mod reserved;
mod strange_social;
mod strange_tax;

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::SocketAddr;

use actix_web::dev::{Server, ServerHandle, Service};
use actix_web::http::StatusCode;
use actix_web::web::{self, Data, Path, Query};
use actix_web::{App, HttpResponse, HttpServer};
use serde::{Deserialize, Serialize};

use crate::domain::{SourceKind, Uscc};

use super::Served;
use super::faults::front::Front;
use super::faults::{Calls, Department, Faults};

/// Firms listed when no limit is given, and at most.
const LIST_DEFAULT: usize = 100;
const LIST_MAX: usize = 10_000;

/// The department servers, bound and ready to run.
pub struct Departments {
    addr: SocketAddr,
    server: Server,
    front: Option<(Front, Vec<Departments>)>,
}

impl Departments {
    /// Binds the listener; port 0 takes any free one. Requests are answered once [`Departments::run`] is polled.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub fn bind(listen: SocketAddr, served: Served) -> io::Result<Departments> {
        Departments::bind_aged(listen, served, Aged(0))
    }

    fn bind_aged(listen: SocketAddr, served: Served, aged: Aged) -> io::Result<Departments> {
        let (served, aged, calls) = (Data::new(served), Data::new(aged), Data::<Calls>::default());
        let (nonces, tokens) = (Data::<strange_tax::Nonces>::default(), Data::<strange_social::Tokens>::default());
        let state = move || {
            let app = App::new().app_data(served.clone()).app_data(aged.clone()).app_data(calls.clone());
            app.app_data(nonces.clone()).app_data(tokens.clone())
        };
        let counted = |request: &actix_web::dev::ServiceRequest| {
            if let (Some(calls), Some(of)) = (request.app_data::<Data<Calls>>(), Department::at(request.path())) {
                calls.count(of);
            }
        };
        let http = HttpServer::new(move || {
            state().configure(routes).wrap_fn(move |request, next| {
                counted(&request);
                next.call(request)
            })
        });
        let http = http.workers(2).disable_signals().shutdown_timeout(2).bind(listen)?;
        let addr = http.addrs().first().copied().unwrap_or(listen);
        Ok(Departments { addr, server: http.run(), front: None })
    }

    /// The same behind a front that plays `faults`. Needs a tokio runtime.
    ///
    /// # Errors
    /// When an address cannot be bound.
    pub fn bind_failing(listen: SocketAddr, served: Served, faults: Faults) -> io::Result<Departments> {
        let within = SocketAddr::from(([127, 0, 0, 1], 0));
        let listener = std::net::TcpListener::bind(listen)?;
        let addr = listener.local_addr()?;
        let (mut aged, mut addresses) = (Vec::new(), BTreeMap::new());
        for days in faults.ages_days() {
            let departments = Departments::bind_aged(within, served.aged(days), Aged(days))?;
            addresses.insert(days, departments.addr);
            aged.push(departments);
        }
        let departments = Departments::bind(within, served)?;
        let front = Front::new(listener, faults, departments.addr, addresses)?;
        Ok(Departments { addr, server: departments.server, front: Some((front, aged)) })
    }

    /// Where the departments listen.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Stops the departments from elsewhere.
    pub fn handle(&self) -> DepartmentsHandle {
        DepartmentsHandle(self.server.handle())
    }

    /// Answers until it is stopped.
    pub fn run(self) -> impl Future<Output = io::Result<()>> + Send {
        let Departments { server, front, .. } = self;
        async move {
            let Some((front, aged)) = front else { return server.await };
            let aged = futures_util::future::join_all(aged.into_iter().map(|departments| departments.server));
            tokio::select! {
                ended = server => ended,
                () = front.run() => Ok(()),
                () = async { aged.await; std::future::pending().await } => Ok(()),
            }
        }
    }
}

/// Stops departments that run elsewhere.
#[derive(Debug, Clone)]
pub struct DepartmentsHandle(ServerHandle);

impl DepartmentsHandle {
    /// Stops the departments; requests under way get two seconds.
    pub async fn stop(&self) {
        self.0.stop(true).await;
    }
}

fn routes(app: &mut web::ServiceConfig) {
    app.route("/tax/v1/firms/{uscc}", web::get().to(tax))
        .route("/social-insurance/v1/firms/{uscc}", web::get().to(social_insurance))
        .route("/payments/v1/firms/{uscc}", web::get().to(payments))
        .route("/strange/tax/api/enterprise/tax", web::get().to(strange_tax::enterprise))
        .route("/strange/social/oauth/token", web::post().to(strange_social::token))
        .route("/strange/social/query/{code}", web::get().to(strange_social::query))
        .route("/firms", web::get().to(firms))
        .route("/calls", web::get().to(calls))
        .default_service(web::to(|| async { refusal(StatusCode::NOT_FOUND, "there is nothing here") }));
}

/// How many days older than today's the records of reserved firms are.
struct Aged(i32);

async fn tax(served: Data<Served>, aged: Data<Aged>, code: Path<String>) -> HttpResponse {
    answer(&served, &aged, &code, SourceKind::Tax).await
}

async fn social_insurance(served: Data<Served>, aged: Data<Aged>, code: Path<String>) -> HttpResponse {
    answer(&served, &aged, &code, SourceKind::SocialInsurance).await
}

async fn payments(served: Data<Served>, aged: Data<Aged>, code: Path<String>) -> HttpResponse {
    answer(&served, &aged, &code, SourceKind::PaymentHistory).await
}

/// A record, with the code of the firm that it is about.
#[derive(Serialize)]
struct Reply<'a, R> {
    uscc: &'a Uscc,
    #[serde(flatten)]
    record: &'a R,
}

fn reply<R: Serialize>(uscc: &Uscc, record: Option<&R>) -> HttpResponse {
    match record {
        Some(record) => HttpResponse::Ok().json(Reply { uscc, record }),
        None => refusal(StatusCode::NOT_FOUND, "this department does not know the firm"),
    }
}

async fn answer(served: &Served, aged: &Aged, code: &str, source: SourceKind) -> HttpResponse {
    let uscc: Uscc = match code.parse() {
        Ok(uscc) => uscc,
        Err(why) => return refusal(StatusCode::BAD_REQUEST, &format!("not a unified social credit code: {why}")),
    };
    if let Some(case) = super::reserved::find(&uscc) {
        return reserved::answer(case, &uscc, source, aged.0).await;
    }
    match served {
        Served::District(district) => {
            let firm = district.find(&uscc);
            match source {
                SourceKind::Tax => reply(&uscc, firm.as_ref().and_then(|f| f.tax.as_ref())),
                SourceKind::SocialInsurance => reply(&uscc, firm.as_ref().and_then(|f| f.social_insurance.as_ref())),
                SourceKind::PaymentHistory => reply(&uscc, firm.as_ref().and_then(|f| f.payment_history.as_ref())),
                SourceKind::Registry | SourceKind::Court | SourceKind::Utilities => reply::<()>(&uscc, None),
            }
        }
        Served::Replay(firms) => match source {
            SourceKind::Tax => reply(&uscc, firms.find(&uscc).map(|f| &f.tax)),
            _ => reply::<()>(&uscc, None),
        },
    }
}

async fn calls(calls: Data<Calls>) -> HttpResponse {
    HttpResponse::Ok().json(calls.told())
}

#[derive(Serialize)]
struct Refusal<'a> {
    error: &'a str,
}

fn refusal(status: StatusCode, error: &str) -> HttpResponse {
    HttpResponse::build(status).json(Refusal { error })
}

#[derive(Deserialize)]
struct ListAsk {
    limit: Option<String>,
    reserved: Option<String>,
}

#[derive(Serialize)]
struct Listed {
    uscc: Uscc,
    name: String,
}

async fn firms(served: Data<Served>, ask: Query<ListAsk>) -> HttpResponse {
    match (ask.reserved.as_deref(), &ask.limit) {
        (None | Some("0"), _) => {}
        (Some("1"), None) => return HttpResponse::Ok().json(super::reserved::list()),
        (Some("1"), Some(_)) => {
            return refusal(StatusCode::BAD_REQUEST, "the reserved firms have no limit: leave it out");
        }
        (Some(_), _) => return refusal(StatusCode::BAD_REQUEST, "reserved must be 1 (the reserved firms) or 0"),
    }
    let limit = match ask.limit.as_deref().map(str::parse::<usize>) {
        None => LIST_DEFAULT,
        Some(Ok(limit)) if (1..=LIST_MAX).contains(&limit) => limit,
        Some(_) => {
            return refusal(StatusCode::BAD_REQUEST, &format!("limit must be a whole number from 1 to {LIST_MAX}"));
        }
    };
    let listed: Vec<Listed> = match &**served {
        Served::District(district) => (0..district.len())
            .take(limit)
            .map(|index| district.label(index))
            .map(|(uscc, name)| Listed { uscc, name })
            .collect(),
        Served::Replay(firms) => {
            firms.iter().take(limit).map(|firm| Listed { uscc: firm.uscc.clone(), name: firm.name.clone() }).collect()
        }
    };
    HttpResponse::Ok().json(listed)
}
