//! Cross-origin resource sharing.

use aws_core::Result;

use super::{Config, Removable, Root, Settable, check_count, check_length};
use crate::idempotency::{self, Row};

document! {
    /// The rules of [cross-origin resource sharing](https://docs.aws.amazon.com/AmazonS3/latest/userguide/cors.html) say
    /// from which sites browsers may send requests.
    pub struct Cors {
        /// The rules, 1 to 100 of them; the first that fits a request counts.
        all rules + rule: CorsRule = "CORSRule",
    }

    /// A rule says what browsers may send from one group of sites.
    pub struct CorsRule {
        /// The name of the rule: up to 255 characters.
        opt id: String = "ID",
        /// The header fields that requests may have; each name may contain one `*`.
        all allowed_headers + allowed_header: String = "AllowedHeader",
        /// The methods that requests may have: GET, PUT, POST, DELETE or HEAD. A rule needs at least one.
        all allowed_methods + allowed_method: String = "AllowedMethod",
        /// The sites, such as `https://example.com`; each may contain one `*`. A rule needs at least one.
        all allowed_origins + allowed_origin: String = "AllowedOrigin",
        /// The header fields of answers that scripts may see.
        all expose_headers + expose_header: String = "ExposeHeader",
        /// How many seconds browsers may keep the answer to a preflight request.
        val max_age_seconds: u32 = "MaxAgeSeconds",
    }
}

impl Root for Cors {
    const ROOT: &'static str = "CORSConfiguration";
    const QUERY: &'static str = "cors";

    fn check(&self) -> Result<()> {
        check_count("CORS rules", self.rules.len(), 100)?;
        self.rules
            .iter()
            .flat_map(|rule| &rule.id)
            .try_for_each(|id| check_length("id", id, 255))
    }
}

impl Config for Cors {
    const GET: Row = idempotency::GET_BUCKET_CORS;
}

impl Settable for Cors {
    const PUT: Row = idempotency::PUT_BUCKET_CORS;
}

impl Removable for Cors {
    const DELETE: Row = idempotency::DELETE_BUCKET_CORS;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::documents::{reads, round_trips};

    #[test]
    fn amazons_example_is_read() {
        let cors: Cors = reads(
            "<CORSConfiguration><CORSRule><AllowedOrigin>http://www.example.com</AllowedOrigin>\
             <AllowedMethod>PUT</AllowedMethod><AllowedMethod>POST</AllowedMethod><AllowedHeader>*</AllowedHeader>\
             <MaxAgeSeconds>3000</MaxAgeSeconds><ExposeHeader>x-amz-request-id</ExposeHeader></CORSRule>\
             <CORSRule><ID>all</ID><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule>\
             </CORSConfiguration>",
        );
        assert_eq!(cors.rules[0].allowed_methods, ["PUT", "POST"]);
        assert_eq!(cors.rules[0].max_age_seconds, Some(3000));
        assert_eq!(cors.rules[1].id.as_deref(), Some("all"));
        round_trips::<Cors>();
    }

    #[test]
    fn limits() {
        let mut cors = Cors::new().rule(CorsRule::new().id("x".repeat(256)));
        assert!(cors.encode().unwrap_err().to_string().contains("256"));
        cors.rules = vec![CorsRule::new(); 101];
        assert!(cors.encode().unwrap_err().to_string().contains("101"));
    }
}
