//! What lies beside the repository: the page our users learnt from, and the AWS stand-ins.

use std::path::{Path, PathBuf};

fn shared() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared")
}

/// The documentation page of APISIX 2.11 for `aws-lambda`.
pub fn documentation() -> String {
    let path = shared().join("reference/aws-lambda-plugin-2.11-docs.txt");
    std::fs::read_to_string(&path).unwrap_or_else(|error| {
        panic!("../shared/reference/aws-lambda-plugin-2.11-docs.txt must lie beside the repository: {error}")
    })
}

/// Where the AWS stand-ins keep their files: `LAB_TMP`, or `lab` in the temporary directory.
pub fn lab() -> PathBuf {
    std::env::var_os("LAB_TMP").map_or_else(|| std::env::temp_dir().join("lab"), PathBuf::from)
}
