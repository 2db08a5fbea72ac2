use aws_core::Result;

use super::{Root, check_count, check_length};

document! {
    /// From which sites browsers may send requests
    /// ([cross-origin resource sharing](https://docs.aws.amazon.com/AmazonS3/latest/userguide/cors.html)).
    pub struct Cors {
        /// 1 to 100; the first that fits a request counts.
        all rules + rule: CorsRule = "CORSRule",
    }

    /// What one group of sites may do.
    pub struct CorsRule {
        /// A name, up to 255 characters.
        opt id: String = "ID",
        /// Header fields that requests may have; each may have one `*`.
        all allowed_headers + allowed_header: String = "AllowedHeader",
        /// Methods: GET, PUT, POST, DELETE, HEAD. Needed.
        all allowed_methods + allowed_method: String = "AllowedMethod",
        /// Sites, such as `https://example.com`; each may have one `*`. Needed.
        all allowed_origins + allowed_origin: String = "AllowedOrigin",
        /// Header fields of answers that scripts may see.
        all expose_headers + expose_header: String = "ExposeHeader",
        /// How long browsers may keep the answer to a preflight request, in seconds.
        val max_age_seconds: u32 = "MaxAgeSeconds",
    }
}

impl Root for Cors {
    const ROOT: &'static str = "CORSConfiguration";

    fn check(&self) -> Result<()> {
        check_count("CORS rules", self.rules.len(), 100)?;
        self.rules
            .iter()
            .flat_map(|rule| &rule.id)
            .try_for_each(|id| check_length("id", id, 255))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::{reads, round_trips};

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
