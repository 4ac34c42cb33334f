//! The ceiling: actix-web alone. Reads a body and answers 201 with as many bytes of JSON as Yuxin does.
//!
//! `echo ADDRESS REPLY_FILE [WORKERS]`

use actix_web::{App, HttpResponse, HttpServer, web};

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let mut args = std::env::args().skip(1);
    let usage = || std::io::Error::other("usage: echo ADDRESS REPLY_FILE [WORKERS]");
    let address = args.next().ok_or_else(usage)?;
    let reply = web::Bytes::from(std::fs::read(args.next().ok_or_else(usage)?)?);
    let workers = args.next().and_then(|n| n.parse().ok());
    let server = HttpServer::new(move || {
        let reply = reply.clone();
        let answer = move |_body: web::Bytes| {
            let reply = reply.clone();
            async move { HttpResponse::Created().content_type("application/json").body(reply) }
        };
        App::new().route("/v1/decisions", web::post().to(answer))
    });
    let server = match workers {
        Some(workers) => server.workers(workers),
        None => server,
    };
    server.bind(address)?.run().await
}
