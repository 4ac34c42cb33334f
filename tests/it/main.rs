//! One test binary: a file per promise, and what they share in `support`.

mod sources_faults;
mod sources_gathering;
mod support;
