//! The small readers of requirements and TOML, against the large ones.

use super::*;

#[test]
fn specifiers_mean_what_they_mean_in_rust() {
    use std::str::FromStr as _;
    let versions = [
        "1",
        "1.0",
        "1.0.0",
        "0.9",
        "1.1",
        "2.0rc1",
        "2.0",
        "1.0.post1",
        "1.0.dev1",
        "1.0a1",
        "1.0a1.dev2",
        "1.0b2",
        "1.0+local",
        "1.0+local.2",
        "1!1.0",
        "1.0.post1.dev3",
        "1.10",
        "3.11.4",
    ];
    let mut specifiers: Vec<String> =
        ["==1.*", "!=1.*", "==1.0.*", "~=1.0", "~=1.0.0", ">=1,<2", "==1.0.0.*"].map(str::to_owned).to_vec();
    for version in versions {
        for operator in ["==", "!=", "<", "<=", ">", ">="] {
            let local = version.contains('+') && !["==", "!="].contains(&operator);
            // pep440_rs differs from `packaging` in `1.0.dev1 < 1.0a1` and `< 1!1.0`; ours is as `packaging`.
            let quirk =
                ["<", ">"].contains(&operator) && version.contains(|c: char| c.is_alphabetic() || c == '!');
            if !local && !quirk {
                specifiers.push(format!("{operator}{version}"));
            }
        }
    }
    let program = format!(
        "import wheelwright_requirements as r\nfor v in {versions:?}:\n for s in {specifiers:?}:\n  print(int(r.contains(s, v)), end='')\n"
    );
    let got = ask(&one_python(), &program);
    let mut wanted = String::new();
    for version in versions {
        for specifier in &specifiers {
            let specifiers = pep440_rs::VersionSpecifiers::from_str(specifier).unwrap();
            let version = pep440_rs::Version::from_str(version).unwrap();
            wanted.push(if specifiers.contains(&version) { '1' } else { '0' });
        }
    }
    for (i, (g, w)) in got.chars().zip(wanted.chars()).enumerate() {
        let (v, s) = (versions[i / specifiers.len()], &specifiers[i % specifiers.len()]);
        assert_eq!(g, w, "{v} in {s}");
    }
    assert_eq!(got.len(), wanted.len());
}

#[test]
fn markers_mean_what_they_mean_in_rust() {
    let markers = [
        "python_version >= '3.9'",
        "python_version < '3.10' and sys_platform == 'linux'",
        "python_version in '3.9 3.10' or os_name == \"nt\"",
        "(python_full_version >= '3.11.2' or extra == 'x') and platform_system != 'Windows'",
        "extra == 'Some_Extra'",
        "extra != 'x'",
        "implementation_name == 'cpython' and python_version == '3.*'",
        "python_version ~= '3.8'",
        "platform_machine in 'x86_64 aarch64'",
        "'linux' in sys_platform",
        "'win' not in sys_platform and not_here == 'x'",
        "python_version > '3.10' or python_version < '3.10' and platform_python_implementation == 'PyPy'",
        "sys.platform == 'linux'",
    ];
    let variables = serde_json::json!({
        "implementation_name": "cpython", "implementation_version": "3.11.4", "os_name": "posix",
        "platform_machine": "x86_64", "platform_python_implementation": "CPython", "platform_release": "6.1",
        "platform_system": "Linux", "platform_version": "#1", "python_full_version": "3.11.4",
        "python_version": "3.11", "sys_platform": "linux",
    });
    let program = format!(
        "import json, wheelwright_requirements as r\nv = dict(json.loads({:?}), extra='')\nfor m in {markers:?}:\n \
         try: print(r.Marker(m, v).whole())\n except r.Unreadable: print('unreadable')\n",
        variables.to_string()
    );
    let environment: pep508_rs::MarkerEnvironment = serde_json::from_value(variables).unwrap();
    let got = ask(&one_python(), &program);
    for (marker, got) in markers.iter().zip(got.lines()) {
        let wanted = match marker.parse::<pep508_rs::MarkerTree>() {
            Ok(tree) if tree.evaluate(&environment, &[]) => "True",
            Ok(_) => "False",
            Err(_) => "unreadable",
        };
        assert_eq!(got, wanted, "{marker}");
    }
    assert_eq!(got.lines().count(), markers.len());
}

#[test]
fn the_small_toml_reader_reads_as_tomllib_does() {
    let text = "a = 1 # c\r\n\"b c\" = '''\r\nx'''\nd.e = [ 'f', \"g\\u00e9\\t\", # h\n]\n[[t]]\nx = { y = \"]\", z = [{}] }\n[[t]]\n[t.u]\nv = 1979-05-27 07:32:00\nw = \"\"\"\\\n   q\"\" \"\"\"\n[build-system]\nrequires = []\n";
    let program = format!("import json, wheelwright_toml as t\nprint(json.dumps(t.loads({text:?})))\n");
    for python in pythons() {
        let got: serde_json::Value = serde_json::from_str(&ask(&python, &program)).unwrap();
        let wanted = serde_json::json!({
            "a": "1", "b c": "x", "d": {"e": ["f", "gé\t"]},
            "t": [{"x": {"y": "]", "z": [{}]}}, {"u": {"v": "1979-05-27 07:32:00", "w": "q\"\" "}}],
            "build-system": {"requires": []},
        });
        assert_eq!(got, wanted, "{}", python.display());
    }
}
