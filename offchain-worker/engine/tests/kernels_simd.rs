//! A level is chosen by name, and one that does not exist is refused with those that do.

use chasqui_engine::cpu::simd::SIMD_VARIABLE;
use chasqui_engine::cpu::SimdLevel;

#[test]
fn names_are_read_back() {
    // GIVEN every level WHEN its name is parsed THEN it is that level
    for level in SimdLevel::ALL {
        assert_eq!(level.to_string().parse::<SimdLevel>().unwrap(), level);
    }
}

#[test]
fn an_unknown_name_is_an_error() {
    // GIVEN a name that no level has WHEN it is parsed THEN the error names it and those known
    for name in ["", "AVX512", "sse2"] {
        let error = name.parse::<SimdLevel>().unwrap_err().to_string();
        assert!(error.contains(&format!("`{name}`")), "{error}");
        assert!(error.contains("portable, avx2, avx512"), "{error}");
    }
}

#[test]
fn what_the_processor_lacks_is_refused() {
    // GIVEN every level WHEN it is checked THEN it passes if and only if it is supported
    for level in SimdLevel::ALL {
        match level.checked() {
            Ok(same) => assert!(same == level && level.is_supported()),
            Err(error) => {
                assert!(!level.is_supported());
                assert!(error.to_string().contains("portable"), "{error}");
            }
        }
    }
    assert!(SimdLevel::Portable.is_supported() && SimdLevel::detect().is_supported());
}

#[test]
fn the_environment_forces_a_level() {
    // GIVEN the variable unset, empty, a level and nonsense (the only test that touches it)
    std::env::remove_var(SIMD_VARIABLE);
    assert_eq!(SimdLevel::from_env().unwrap(), SimdLevel::detect());
    std::env::set_var(SIMD_VARIABLE, "");
    assert_eq!(SimdLevel::from_env().unwrap(), SimdLevel::detect());
    // WHEN it is a level THEN that is taken, WHEN nonsense THEN it is an error
    std::env::set_var(SIMD_VARIABLE, "portable");
    assert_eq!(SimdLevel::from_env().unwrap(), SimdLevel::Portable);
    std::env::set_var(SIMD_VARIABLE, "fast");
    assert!(SimdLevel::from_env().is_err());
}
