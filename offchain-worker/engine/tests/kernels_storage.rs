//! Mapped weights are used in place, misaligned ones copied, and a range out of the file refused.

mod kernels;

use std::io::Write;
use std::sync::Arc;

use chasqui_engine::cpu::matrix::Words;
use chasqui_engine::cpu::{linear, Matrix, Output, Pool, SimdLevel, Storage};
use kernels::{bits, Numbers};
use memmap2::Mmap;

fn map(bytes: &[u8]) -> Arc<Mmap> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    // SAFETY: nobody else has the file.
    Arc::new(unsafe { Mmap::map(&file) }.unwrap())
}

#[test]
fn aligned_elements_are_used_in_place() {
    // GIVEN a file with three singles from byte 8 on
    let values = [1.5f32, -2.0, 3.25];
    let mut file = vec![0xff; 8];
    file.extend(values.iter().flat_map(|v| v.to_le_bytes()));
    // WHEN they are mapped
    let storage = Storage::<f32>::mapped(map(&file), 8, 3).unwrap();
    // THEN they are read from the map
    assert!(storage.is_mapped());
    assert_eq!(storage[..], values);
}

#[test]
fn misaligned_elements_are_copied() {
    // GIVEN singles from byte 2 on, words from byte 1 on
    let mut file = vec![0xff; 2];
    file.extend([1.5f32, -2.0].iter().flat_map(|v| v.to_le_bytes()));
    let file = map(&file);
    // WHEN they are mapped
    let singles = Storage::<f32>::mapped(file.clone(), 2, 2).unwrap();
    let words = Words::mapped(file.clone(), 1, 3).unwrap();
    // THEN they are copies with the right values
    assert!(!singles.is_mapped() && !words.is_mapped());
    assert_eq!(singles[..], [1.5, -2.0]);
    assert_eq!(words[..], [0x00ff, 0xc000, 0x003f]);
}

#[test]
fn a_range_beyond_the_file_is_an_error() {
    // GIVEN a file of 16 bytes
    let file = map(&[0; 16]);
    // WHEN more is asked for THEN the error says how much there is
    for (offset, len) in [(0, 5), (12, 2), (17, 0), (usize::MAX, 1), (4, usize::MAX)] {
        let error = Storage::<f32>::mapped(file.clone(), offset, len).unwrap_err();
        assert!(error.to_string().contains("16 bytes"), "{error}");
    }
    assert_eq!(Storage::<f32>::mapped(file, 16, 0).unwrap().len(), 0);
}

#[test]
fn bytes_become_elements() {
    // GIVEN mapped bytes, aligned and not, and owned ones
    let file = map(&[0, 0, 0xc0, 0x3f, 0, 0, 0, 0xc0, 0]);
    let aligned = Storage::<u8>::mapped(file.clone(), 0, 8).unwrap();
    let odd = Storage::<u8>::mapped(file, 1, 8).unwrap();
    let owned = Storage::from(vec![0u8, 0, 0xc0, 0x3f, 0, 0, 0, 0xc0]);
    // WHEN they are read as singles
    let cast = aligned.cast::<f32>().unwrap();
    // THEN the values are right, and only what is aligned stays mapped
    assert!(cast.is_mapped());
    assert_eq!(cast[..], [1.5, -2.0]);
    assert_eq!(owned.cast::<f32>().unwrap()[..], [1.5, -2.0]);
    assert!(!odd.cast::<u16>().unwrap().is_mapped());
    // AND a length that is no multiple is an error
    let error = Storage::from(vec![0u8; 6]).cast::<f32>().unwrap_err();
    assert!(error.to_string().contains("6 bytes"), "{error}");
}

#[test]
fn the_place_of_weights_does_not_show_in_the_product() {
    // GIVEN the same f32, f16 and bf16 weights owned, mapped at every even offset, and misaligned
    let mut numbers = Numbers::new(4);
    let (outs, cols) = (21, 83);
    let singles = numbers.units(outs * cols);
    let words: Vec<u16> = singles
        .iter()
        .map(|v| half::f16::from_f32(*v).to_bits())
        .collect();
    let bytes: Vec<u8> = singles.iter().flat_map(|v| v.to_le_bytes()).collect();
    let word_bytes: Vec<u8> = words.iter().flat_map(|v| v.to_le_bytes()).collect();
    let pool = Pool::new(2).unwrap();
    for rows in [1, 12] {
        let x = numbers.units(rows * cols);
        let product = |matrix: &Matrix| {
            let mut y = vec![0.0; rows * outs];
            let output = Output {
                matrix,
                bias: None,
                y: &mut y,
                add: false,
            };
            linear(&pool, SimdLevel::detect(), &x, rows, &mut [output]);
            bits(&y)
        };
        let single = product(&Matrix::from_f32(singles.clone(), outs, cols));
        let half = product(&Matrix::from_f16(words.clone(), outs, cols));
        let bf16 = product(&Matrix::from_bf16(words.clone(), outs, cols));
        for offset in [1, 2, 4, 6, 8, 20, 64] {
            let at = |bytes: &[u8]| map(&[&vec![0; offset], bytes].concat());
            // WHEN they are multiplied
            let storage = Storage::mapped(at(&bytes), offset, outs * cols).unwrap();
            let words = Words::mapped(at(&word_bytes), offset, outs * cols).unwrap();
            // THEN the bits are the same
            assert_eq!(product(&Matrix::from_f32(storage, outs, cols)), single);
            assert_eq!(product(&Matrix::from_f16(words.clone(), outs, cols)), half);
            assert_eq!(product(&Matrix::from_bf16(words, outs, cols)), bf16);
        }
    }
}

#[test]
#[should_panic(expected = "a matrix of 2 x 3 from 5 values")]
fn a_matrix_of_another_length_is_refused() {
    // GIVEN five values WHEN they are to be 2 x 3 THEN that is a panic with the numbers
    Matrix::from_f32(vec![0.0; 5], 2, 3);
}
