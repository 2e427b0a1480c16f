//! Media types in heads.

/// Returns whether a media type begins with these lowercase letters, ignoring case.
#[inline]
pub(crate) fn begins(media: &[u8], with: &[u8]) -> bool {
    let Some(start) = media.get(..with.len()) else {
        return false;
    };
    // Types of one kind begin alike, so the last letter is compared first.
    let last = start.last().map(u8::to_ascii_lowercase);
    last.as_ref() == with.last() && start.eq_ignore_ascii_case(with)
}

#[cfg(test)]
mod tests {
    use super::begins;

    #[test]
    fn letters_of_any_case_are_alike() {
        let grpc = b"application/grpc";
        for media in [
            "application/grpc",
            "APPLICATION/GRPC",
            "Application/gRPC-web",
        ] {
            assert!(begins(media.as_bytes(), grpc), "{media}");
        }
        for media in [
            "application/grp",
            "application/json",
            "bpplication/grpc",
            "",
        ] {
            assert!(!begins(media.as_bytes(), grpc), "{media}");
        }
        assert!(begins(b"", b"") && begins(b"a", b""));
    }
}
