//! Endpoints of accounts: registration, passwords, the own account.

pub mod change_email;
pub mod change_password;
pub mod deletion;
pub mod export;
pub mod me;
pub mod register;
pub mod reset_password;
