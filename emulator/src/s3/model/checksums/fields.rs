//! The fields that inputs and answers have for checksums, one for each kind.

use s3s::dto::{
    Checksum, ChecksumType, CompleteMultipartUploadInput, CompleteMultipartUploadOutput,
    CompletedPart, CopyObjectResult, CopyPartResult, GetObjectOutput, HeadObjectOutput, ObjectPart,
    Part, PutObjectInput, PutObjectOutput, UploadPartInput, UploadPartOutput,
};

/// What has a field for the checksum of each kind.
pub(in crate::s3) trait Fields {
    /// By kind, in the order of [`KINDS`](super::KINDS).
    fn values(&mut self) -> [&mut Option<String>; 5];

    /// Where it is told how the checksum was made.
    fn made(&mut self) -> Option<&mut Option<ChecksumType>> {
        None
    }
}

macro_rules! fields {
    ($($name:ty $(, $made:ident)?;)*) => {$(
        impl Fields for $name {
            fn values(&mut self) -> [&mut Option<String>; 5] {
                [
                    &mut self.checksum_crc32,
                    &mut self.checksum_crc32c,
                    &mut self.checksum_crc64nvme,
                    &mut self.checksum_sha1,
                    &mut self.checksum_sha256,
                ]
            }

            $(fn made(&mut self) -> Option<&mut Option<ChecksumType>> {
                Some(&mut self.$made)
            })?
        }
    )*};
}

fields! {
    PutObjectInput;
    UploadPartInput;
    CompleteMultipartUploadInput;
    CompletedPart;
    PutObjectOutput, checksum_type;
    GetObjectOutput, checksum_type;
    HeadObjectOutput, checksum_type;
    CopyObjectResult, checksum_type;
    CompleteMultipartUploadOutput, checksum_type;
    Checksum, checksum_type;
    UploadPartOutput;
    CopyPartResult;
    ObjectPart;
    Part;
}
