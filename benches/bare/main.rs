//! An axum service whose one route, `/api/v1/auth/verify`, answers 200 and does nothing else.
//!
//! What is spent here is spent on every request that axum answers: this is the ceiling that
//! `/verify` is measured against. Not part of the product.
#![forbid(unsafe_code)]

use std::net::Ipv4Addr;

use anyhow::Context as _;
use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use axum::serve::ListenerExt as _;
use mimalloc::MiMalloc;
use tokio::net::TcpListener;

/// As the service has it.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let port: u16 = std::env::args().nth(1).context("usage: bare port")?.parse()?;
    let router = Router::new().route("/api/v1/auth/verify", get(async || StatusCode::OK));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    axum::serve(listener, router).await?;
    Ok(())
}
