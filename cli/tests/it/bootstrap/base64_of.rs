//! The base64 form of a secret, without the padding: what a leak could look like as well.

/// The base64 form, as far as it depends on the text alone.
pub(super) fn base64(text: &str) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let whole = text.as_bytes().chunks_exact(3);
    let mut encoded = String::new();
    for chunk in whole {
        let bits = u32::from(chunk[0]) << 16 | u32::from(chunk[1]) << 8 | u32::from(chunk[2]);
        for shift in [18, 12, 6, 0] {
            encoded.push(char::from(LETTERS[(bits >> shift & 63) as usize]));
        }
    }
    encoded
}
