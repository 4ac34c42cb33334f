//! The stylesheet and the icon, compiled in. Their address carries a digest, so that browsers may keep them for good.

use std::sync::LazyLock;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use sha2::{Digest, Sha256};

use super::failure::{Failure, Kind};

const STYLE: &str = include_str!("../../../assets/console.css");
const ICON: &str = include_str!("../../../assets/icon.svg");

static VERSION: LazyLock<String> = LazyLock::new(|| {
    let digest = Sha256::new().chain_update(STYLE).chain_update(ICON).finalize();
    hex::encode(&digest[..6])
});

/// The address of an asset.
pub fn address(name: &str) -> String {
    format!("{}/assets/{}/{name}", super::ROOT, *VERSION)
}

/// `GET /console/assets/{version}/{name}`
pub async fn serve(request: HttpRequest, path: web::Path<(String, String)>) -> Result<HttpResponse, Failure> {
    let (version, name) = path.into_inner();
    let (kind, body) = match name.as_str() {
        "console.css" => ("text/css; charset=utf-8", STYLE),
        "icon.svg" => ("image/svg+xml", ICON),
        _ => return Err(Failure::of(&request, Kind::NotFound)),
    };
    // An old page may ask for an older version: it gets today's, but may not keep it.
    let keep = if version == *VERSION { "public, max-age=31536000, immutable" } else { "no-store" };
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, kind))
        .insert_header((header::CACHE_CONTROL, keep))
        .body(body))
}
