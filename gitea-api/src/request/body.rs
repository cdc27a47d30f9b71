//! What a request carries.

use bytes::Bytes;

/// The body of a request.
#[derive(Clone)]
pub(crate) enum Body {
    None,
    Json(serde_json::Value),
    Bytes { content_type: String, bytes: Bytes },
}

/// A form with one file, under a boundary that does not occur in it: content type and body.
pub(crate) fn multipart(field: &str, file_name: &str, content: &[u8]) -> (String, Bytes) {
    let mut boundary = String::from("gitea-api-boundary");
    while memchr::memmem::find(content, boundary.as_bytes()).is_some() {
        boundary.push('-');
        boundary.push_str(&content.len().to_string());
    }
    let name: String = file_name
        .chars()
        .map(|letter| {
            if letter.is_control() || letter == '"' || letter == '\\' {
                '_'
            } else {
                letter
            }
        })
        .collect();
    let head = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"{field}\"; filename=\"{name}\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n"
    );
    let tail = format!("\r\n--{boundary}--\r\n");
    let body = [head.as_bytes(), content, tail.as_bytes()].concat();
    (
        format!("multipart/form-data; boundary={boundary}"),
        Bytes::from(body),
    )
}

#[cfg(test)]
mod tests {
    use super::multipart;

    #[test]
    fn a_boundary_never_occurs_in_the_content() {
        let (kind, body) = multipart("attachment", "a\"\r\nb.bin", b"x gitea-api-boundary y");
        assert!(kind.ends_with("gitea-api-boundary-22"), "{kind}");
        assert!(String::from_utf8_lossy(&body).contains("filename=\"a___b.bin\""));
    }
}
