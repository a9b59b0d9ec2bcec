//! The client for pages, in a real browser, against the real service.
//!
//! Chromium is driven by `driver.mjs`, which a test tells what its user does. Where Chromium or Node.js
//! is missing that is said, and on a CI machine it is a failure.

mod certificate;
mod chromium;
mod guide;
mod keyboard;
mod narrow;
mod outages;
mod package;
mod pages;
mod pictures;
mod samples;
mod servers;
mod site;
mod tabs;
mod users;
