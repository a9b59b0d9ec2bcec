//! A new migration must be compiled in, although no source file names it.

fn main() {
    println!("cargo:rerun-if-changed=../migrations");
}
