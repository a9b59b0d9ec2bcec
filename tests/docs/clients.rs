//! What the guide for clients says to those who do without the package, typed on a host where the service
//! runs. Its scripts are run in `tests/browser`.

use crate::host::Host;
use crate::pages::{Fence, service_page};

#[test]
fn clients_without_the_package_log_in_refresh_and_log_out_as_the_guide_shows() {
    let mut host = Host::serving();
    let page = service_page("clients.md");
    let blocks: Vec<Fence> = page.fences().into_iter().filter(|block| block.kind == "sh").collect();
    let [block] = &blocks[..] else { panic!("{} blocks of commands", blocks.len()) };
    let told = host.run(block);
    assert!(
        told.contains("root@example.com") && told.contains("Successfully logged out"),
        "{told}"
    );
    let live = "select count(*) from portcullis.user_sessions where is_active";
    assert_eq!(host.mariadb.execute(live).trim(), "0");
}
