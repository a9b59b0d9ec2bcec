//! The layer around a service that is no framework's, served by hyper, with tokens that somebody else
//! signs: `cargo run --example hyper -- redis://127.0.0.1 public.pem`

use std::convert::Infallible;
use std::sync::Arc;

use http::{Request, Response};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use portcullis_client::{BearerLayer, Gate, JwtVerifier, Known, Options, Watch};
use serde::Deserialize;
use tokio::net::TcpListener;
use tower::{Layer as _, service_fn};

#[derive(Deserialize)]
pub(crate) struct Claims {
    scope: String,
}

async fn greet<B>(request: Request<B>) -> Result<Response<String>, Infallible> {
    // The layer lets nobody through without.
    let token = request.extensions().get::<Arc<Known<Claims>>>();
    let text = token.map(|it| format!("{} may {}\n", it.subject, it.claims.scope));
    Ok(Response::new(text.unwrap_or_default()))
}

pub(crate) async fn serve(
    listener: TcpListener,
    gate: Gate<JwtVerifier<Claims>>,
) -> Result<(), Box<dyn std::error::Error>> {
    let service = BearerLayer::new(gate).layer(service_fn(greet));
    loop {
        let (stream, _) = listener.accept().await?;
        let service = TowerToHyperService::new(service.clone());
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let redis = arguments.next().ok_or("say where Redis is: redis://host")?;
    let key = std::fs::read(arguments.next().ok_or("say where the public key is: public.pem")?)?;
    let verifier = JwtVerifier::from_pem(key)?
        .issuer("https://login.example")
        .audience("https://api.example")
        .claims();
    let gate = Gate::new(Watch::connect(&redis, Options::default())?, verifier);
    serve(TcpListener::bind("127.0.0.1:8080").await?, gate).await
}
