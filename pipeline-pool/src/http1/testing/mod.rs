//! What must always hold of the codec, for the tests and the fuzz targets.

pub mod check;
#[cfg(test)]
mod properties;
