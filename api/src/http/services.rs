//! Endpoints for services: whether a token is good, and the public keys.

pub mod introspect;
pub mod jwks;
pub mod verify;
