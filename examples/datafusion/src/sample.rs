//! The Parquet files that are asked about.

use std::error::Error;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Float64Array, Int32Array, Int64Array, StringArray};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::file::properties::WriterProperties;
use indicatif::ProgressBar;
use s3_client::Bucket;

use crate::args::Args;

/// The folder that the files are in.
pub(crate) const FOLDER: &str = "sales";

/// Rows of each group, which is what a query skips or reads.
const GROUP_ROWS: usize = 10_000;

/// Writes the files; tells how many bytes they have.
pub(crate) async fn write(bucket: &Bucket, args: &Args) -> Result<usize, Box<dyn Error>> {
    let bar = ProgressBar::new(args.files.into());
    let mut bytes = 0;
    for file in 0..args.files {
        let parquet = parquet(file, args.rows)?;
        bytes += parquet.len();
        bucket
            .put(format!("{FOLDER}/part-{file:05}.parquet"), parquet)
            .await?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(bytes)
}

/// One file, the same for the same numbers.
fn parquet(file: u32, rows: u32) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut random = fastrand::Rng::with_seed(file.into());
    let rows = rows as usize;
    let first = i64::from(file) * rows as i64;
    let ids = Int64Array::from_iter_values((0..rows as i64).map(|row| first + row));
    let shops = Int32Array::from_iter_values((0..rows).map(|_| random.i32(0..20)));
    let prices =
        Float64Array::from_iter_values((0..rows).map(|_| f64::from(random.u32(1..100_000))));
    let notes =
        StringArray::from_iter_values((0..rows).map(|_| format!("{:032x}", random.u128(..))));
    let columns: [(&str, ArrayRef); 4] = [
        ("id", Arc::new(ids)),
        ("shop", Arc::new(shops)),
        ("cents", Arc::new(prices)),
        ("note", Arc::new(notes)),
    ];
    let batch = RecordBatch::try_from_iter(columns)?;
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties))?;
    writer.write(&batch)?;
    Ok(writer.into_inner()?)
}
