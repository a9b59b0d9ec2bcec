//! An axum service that lets in whoever presents a live access token of the Portcullis service:
//! `cargo run --example axum -- redis://127.0.0.1 https://login.example/.well-known/jwks.json`

use axum::Router;
use axum::routing::get;
use portcullis_client::{
    BearerLayer, Gate, JwtVerifier, Live, Options, ServiceClaims, ServiceVerifier, Watch,
};

async fn me(Live(token): Live<ServiceClaims>) -> String {
    format!("user {}, {}\n", token.subject, token.claims.role)
}

pub(crate) fn service(gate: Gate<ServiceVerifier>) -> Router {
    Router::new().route("/me", get(me)).layer(BearerLayer::new(gate))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let redis = arguments.next().ok_or("say where Redis is: redis://host")?;
    let keys = arguments.next().ok_or("say where the service's key set is: https://…")?;
    let verifier = ServiceVerifier::new(JwtVerifier::from_jwks(&keys)?, "portcullis", "portcullis");
    let gate = Gate::new(Watch::connect(&redis, Options::default())?, verifier);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    axum::serve(listener, service(gate)).await?;
    Ok(())
}
