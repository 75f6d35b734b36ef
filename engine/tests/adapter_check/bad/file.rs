//! Weights files that are damaged, forged or of another format.

use tenora_engine::lora::codes;

use super::{Bad, bad, header, weights};
use crate::adapter::Tensor;

pub(super) fn all() -> Vec<Bad> {
    [containers(), headers(), layouts()].into_iter().flatten().collect()
}

fn containers() -> Vec<Bad> {
    let pickle = b"\x80\x02}q\x00X\x05\x00\x00\x00helloq\x01.";
    let foreign = |name, start: &'static [u8]| {
        weights(name, codes::NOT_SAFETENSORS, None, move |w| *w = [start, &[7; 4000]].concat())
    };
    vec![
        foreign("pickle", pickle),
        foreign("zip of torch.save", b"PK\x03\x04\x14\x00\x00\x00"),
        foreign("gzip", b"\x1f\x8b\x08\x00\x00\x00\x00\x00"),
        foreign("html page", b"<!DOCTYPE html><html>"),
        foreign("git lfs pointer", b"version https://git-lfs.github.com/spec/v1"),
        foreign("gguf", b"GGUF\x03\x00\x00\x00"),
        foreign("a program", b"\x7fELF\x02\x01\x01\x00"),
        weights("empty", codes::TRUNCATED, None, Vec::clear),
        weights("five bytes", codes::TRUNCATED, None, |w| w.truncate(5)),
        weights("half a header", codes::TRUNCATED, None, |w| w.truncate(100)),
        weights("one byte short", codes::TRUNCATED, None, |w| w.truncate(w.len() - 1)),
        weights("no tensors behind the header", codes::TRUNCATED, None, |w| {
            let header = u64::from_le_bytes(w[..8].try_into().unwrap()) as usize;
            w.truncate(8 + header);
        }),
        weights("one byte more", codes::TRAILING_BYTES, None, |w| w.push(0)),
        weights("another file behind", codes::TRAILING_BYTES, None, |w| w.extend(b"PK\x03\x04 and so on")),
    ]
}

fn headers() -> Vec<Bad> {
    let length = |name, code, length: u64| {
        weights(name, code, None, move |w| w[..8].copy_from_slice(&length.to_le_bytes()))
    };
    vec![
        length("header of 2^63 bytes", codes::HEADER_TOO_LARGE, 1 << 63),
        length("header of u64::MAX bytes", codes::HEADER_TOO_LARGE, u64::MAX),
        length("header just above the cap", codes::HEADER_TOO_LARGE, (4 << 20) + 1),
        length("header longer than the file", codes::TRUNCATED, 1 << 20),
        length("header shorter than it is", codes::HEADER_INVALID, 64),
        length("header of no bytes", codes::HEADER_INVALID, 0),
        header("header is a list", codes::HEADER_INVALID, None, |h| format!("[{h}]")),
        header("header without tensors", codes::EMPTY_TENSOR, None, |_| "{}".into()),
        weights("the forty bytes that ZeRO-3 leaves", codes::EMPTY_TENSOR, None, |w| {
            *w = [&32u64.to_le_bytes()[..], b"{\"__metadata__\":{\"format\":\"pt\"}}"].concat();
        }),
        header("header nested deeply", codes::HEADER_INVALID, None, |h| h.replacen("[4,48]", "[[4,48]]", 1)),
        header("a megabyte of metadata", codes::METADATA_TOO_LARGE, "__metadata__", |h| {
            h.replacen("\"pt\"", &format!("\"{}\"", "x".repeat(1 << 20)), 1)
        }),
        header("metadata just above the cap", codes::METADATA_TOO_LARGE, "__metadata__", |h| {
            // The key `format` counts too.
            h.replacen("\"pt\"", &format!("\"{}\"", "x".repeat((64 << 10) - 5)), 1)
        }),
        header("header with text behind", codes::HEADER_INVALID, None, |h| h + "{}"),
        header("metadata of numbers", codes::HEADER_INVALID, None, |h| h.replace("\"pt\"", "7")),
        header("negative shape", codes::HEADER_INVALID, "layers.0.self_attn.q_proj.lora_A", |h| {
            h.replacen("[4,48]", "[-4,48]", 1)
        }),
        header("unknown key beside dtype", codes::HEADER_INVALID, "q_proj.lora_A", |h| {
            h.replacen("{\"dtype\"", "{\"evil\":1,\"dtype\"", 1)
        }),
        header("same tensor twice", codes::HEADER_DUPLICATE_KEY, "layers.0.self_attn.q_proj.lora_A", |h| {
            let first = h.find("\"base_model").unwrap();
            let entry = h[first..].split_inclusive('}').next().unwrap().to_owned();
            h.replacen(&entry, &format!("{entry},{entry}"), 1)
        }),
        header("dtype twice", codes::HEADER_DUPLICATE_KEY, "dtype", |h| {
            h.replacen("{\"dtype\":\"F32\"", "{\"dtype\":\"F32\",\"dtype\":\"F32\"", 1)
        }),
        header("name with a path", codes::TENSOR_NAME_INVALID, "/etc/", |h| {
            h.replacen("base_model", "../etc/", 1)
        }),
        header("name too long", codes::TENSOR_NAME_INVALID, "base", |h| {
            h.replacen("base_model", &"base".repeat(80), 1)
        }),
        bad("too many tensors", codes::TOO_MANY_TENSORS, None, |a| {
            let one = a.tensors[0].clone();
            a.tensors = (0..16_385)
                .map(|i| Tensor {
                    name: format!("t{i}"),
                    shape: vec![1, 1],
                    bytes: vec![0; 4],
                    ..one.clone()
                })
                .collect();
        }),
    ]
}

fn layouts() -> Vec<Bad> {
    vec![
        header("overlapping tensors", codes::OFFSETS_INVALID, "lora_B", |h| {
            h.replacen("[768,1536]", "[0,768]", 1)
        }),
        header("a hole between tensors", codes::OFFSETS_INVALID, "lora_B", |h| {
            h.replacen("[768,1536]", "[772,1540]", 1)
        }),
        header("offsets backwards", codes::OFFSETS_INVALID, "lora_B", |h| {
            h.replacen("[768,1536]", "[1536,768]", 1)
        }),
        header("offsets that disagree with the shape", codes::OFFSETS_INVALID, "lora_A", |h| {
            h.replacen("[0,768]", "[0,764]", 1)
        }),
        header("shape that overflows", codes::OFFSETS_INVALID, "lora_A", |h| {
            h.replacen("[4,48]", "[4294967295,4294967295]", 1)
        }),
        header("offset of u64::MAX", codes::OFFSETS_INVALID, "lora_A", |h| {
            h.replacen("[0,768]", "[18446744073709551615,18446744073709551615]", 1)
        }),
        header("shape beyond 32 bits", codes::WRONG_SHAPE, "lora_A", |h| {
            h.replacen("[4,48]", "[9223372036854775807,2]", 1)
        }),
        header("no rows", codes::EMPTY_TENSOR, "lora_A", |h| h.replacen("[4,48]", "[0,48]", 1)),
        header("what ZeRO-3 leaves of a tensor", codes::EMPTY_TENSOR, "lora_A", |h| {
            h.replacen("[4,48]", "[0]", 1)
        }),
        header("a flat shard of FSDP", codes::WRONG_SHAPE, "lora_A", |h| h.replacen("[4,48]", "[192]", 1)),
        header("three dimensions", codes::WRONG_SHAPE, "lora_A", |h| h.replacen("[4,48]", "[4,48,1]", 1)),
        header("64-bit floats", codes::UNSUPPORTED_DTYPE, "lora_A", |h| h.replacen("\"F32\"", "\"F64\"", 1)),
        header("8-bit floats", codes::UNSUPPORTED_DTYPE, "lora_A", |h| {
            h.replacen("\"F32\"", "\"F8_E4M3\"", 1)
        }),
    ]
}
