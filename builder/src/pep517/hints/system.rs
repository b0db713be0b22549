//! A flat catalogue: system libraries by header, pkg-config module and linker
//! name. Knows the names distributions give them. Must never look at the host.

/// One system library.
pub struct Library {
    /// The name in `pkg:generic/NAME`.
    pub generic: &'static str,
    /// Headers: exact names, or folders when they end in `/`.
    pub headers: &'static [&'static str],
    /// pkg-config modules and `-l` names.
    pub names: &'static [&'static str],
    /// Debian's and Ubuntu's package.
    pub debian: &'static str,
    /// Fedora's and RHEL's package.
    pub fedora: &'static str,
}

macro_rules! libraries {
    ($($generic:literal, [$($header:literal),*], [$($name:literal),*], $debian:literal, $fedora:literal;)*) => {
        /// Every library that is known.
        pub const LIBRARIES: &[Library] = &[$(Library {
            generic: $generic,
            headers: &[$($header),*],
            names: &[$($name),*],
            debian: $debian,
            fedora: $fedora,
        }),*];
    };
}

libraries! {
    "acl", ["sys/acl.h", "acl/"], ["acl", "libacl"], "libacl1-dev", "libacl-devel";
    "alsa", ["alsa/"], ["alsa", "asound"], "libasound2-dev", "alsa-lib-devel";
    "augeas", ["augeas.h"], ["augeas"], "libaugeas-dev", "augeas-devel";
    "boost", ["boost/"], ["boost", "boost_python"], "libboost-all-dev", "boost-devel";
    "bzip2", ["bzlib.h"], ["bz2", "bzip2"], "libbz2-dev", "bzip2-devel";
    "cairo", ["cairo.h", "cairo/"], ["cairo"], "libcairo2-dev", "cairo-devel";
    "cups", ["cups/"], ["cups"], "libcups2-dev", "cups-devel";
    "curl", ["curl/"], ["libcurl", "curl"], "libcurl4-openssl-dev", "libcurl-devel";
    "dbus", ["dbus/"], ["dbus-1"], "libdbus-1-dev", "dbus-devel";
    "enchant", ["enchant.h"], ["enchant-2"], "libenchant-2-dev", "enchant2-devel";
    "expat", ["expat.h"], ["expat"], "libexpat1-dev", "expat-devel";
    "ffmpeg", ["libavcodec/", "libavformat/", "libavutil/"], ["libavformat", "libavcodec", "avformat", "avcodec"], "libavformat-dev", "ffmpeg-free-devel";
    "fftw", ["fftw3.h"], ["fftw3"], "libfftw3-dev", "fftw-devel";
    "freetype", ["ft2build.h", "freetype2/"], ["freetype2", "freetype"], "libfreetype-dev", "freetype-devel";
    "fuse", ["fuse.h", "fuse3/"], ["fuse", "fuse3"], "libfuse3-dev", "fuse3-devel";
    "gdal", ["gdal.h"], ["gdal"], "libgdal-dev", "gdal-devel";
    "gdbm", ["gdbm.h"], ["gdbm"], "libgdbm-dev", "gdbm-devel";
    "geos", ["geos_c.h"], ["geos", "geos_c"], "libgeos-dev", "geos-devel";
    "glib", ["glib.h", "gio/"], ["glib-2.0", "gio-2.0", "gobject-2.0"], "libglib2.0-dev", "glib2-devel";
    "gmp", ["gmp.h"], ["gmp"], "libgmp-dev", "gmp-devel";
    "gobject-introspection", ["girepository.h"], ["gobject-introspection-1.0", "girepository-2.0"], "libgirepository1.0-dev", "gobject-introspection-devel";
    "graphviz", ["graphviz/"], ["libcgraph", "cgraph"], "libgraphviz-dev", "graphviz-devel";
    "gsl", ["gsl/"], ["gsl"], "libgsl-dev", "gsl-devel";
    "hdf5", ["hdf5.h"], ["hdf5"], "libhdf5-dev", "hdf5-devel";
    "hidapi", ["hidapi.h", "hidapi/"], ["hidapi", "hidapi-libusb"], "libhidapi-dev", "hidapi-devel";
    "icu", ["unicode/"], ["icu-i18n", "icu-uc", "icuuc"], "libicu-dev", "libicu-devel";
    "keyutils", ["keyutils.h"], ["keyutils"], "libkeyutils-dev", "keyutils-libs-devel";
    "krb5", ["krb5.h", "gssapi/", "gssapi.h"], ["krb5", "krb5-gssapi", "gssapi_krb5"], "libkrb5-dev", "krb5-devel";
    "lapack", ["lapacke.h"], ["lapack"], "liblapack-dev", "lapack-devel";
    "lcms2", ["lcms2.h"], ["lcms2"], "liblcms2-dev", "lcms2-devel";
    "leveldb", ["leveldb/"], ["leveldb"], "libleveldb-dev", "leveldb-devel";
    "libcap", ["sys/capability.h"], ["libcap", "cap"], "libcap-dev", "libcap-devel";
    "libev", ["ev.h"], ["ev"], "libev-dev", "libev-devel";
    "libevent", ["event2/"], ["libevent", "event"], "libevent-dev", "libevent-devel";
    "libffi", ["ffi.h"], ["libffi", "ffi"], "libffi-dev", "libffi-devel";
    "libgit2", ["git2.h"], ["libgit2", "git2"], "libgit2-dev", "libgit2-devel";
    "libjpeg", ["jpeglib.h"], ["libjpeg", "jpeg"], "libjpeg-dev", "libjpeg-turbo-devel";
    "libmagic", ["magic.h"], ["libmagic", "magic"], "libmagic-dev", "file-devel";
    "libpcap", ["pcap.h", "pcap/"], ["libpcap", "pcap"], "libpcap-dev", "libpcap-devel";
    "libpng", ["png.h"], ["libpng", "png"], "libpng-dev", "libpng-devel";
    "libpq", ["libpq-fe.h"], ["libpq", "pq"], "libpq-dev", "libpq-devel";
    "libseccomp", ["seccomp.h"], ["libseccomp", "seccomp"], "libseccomp-dev", "libseccomp-devel";
    "libsndfile", ["sndfile.h"], ["sndfile"], "libsndfile1-dev", "libsndfile-devel";
    "libsodium", ["sodium.h"], ["libsodium", "sodium"], "libsodium-dev", "libsodium-devel";
    "libssh", ["libssh/"], ["libssh", "ssh"], "libssh-dev", "libssh-devel";
    "libssh2", ["libssh2.h"], ["libssh2", "ssh2"], "libssh2-1-dev", "libssh2-devel";
    "libtiff", ["tiff.h", "tiffio.h"], ["libtiff-4", "tiff"], "libtiff-dev", "libtiff-devel";
    "libusb", ["libusb.h", "libusb-1.0/"], ["libusb-1.0", "usb-1.0"], "libusb-1.0-0-dev", "libusb1-devel";
    "libvirt", ["libvirt/"], ["libvirt", "virt"], "libvirt-dev", "libvirt-devel";
    "libwebp", ["webp/"], ["libwebp", "webp"], "libwebp-dev", "libwebp-devel";
    "libxml2", ["libxml/"], ["libxml-2.0", "xml2"], "libxml2-dev", "libxml2-devel";
    "libxslt", ["libxslt/"], ["libxslt", "xslt"], "libxslt1-dev", "libxslt-devel";
    "libyaml", ["yaml.h"], ["yaml-0.1", "yaml"], "libyaml-dev", "libyaml-devel";
    "lz4", ["lz4.h", "lz4frame.h"], ["liblz4", "lz4"], "liblz4-dev", "lz4-devel";
    "lzo", ["lzo/"], ["lzo2"], "liblzo2-dev", "lzo-devel";
    "mpc", ["mpc.h"], ["mpc"], "libmpc-dev", "libmpc-devel";
    "mpfr", ["mpfr.h"], ["mpfr"], "libmpfr-dev", "mpfr-devel";
    "mpi", ["mpi.h"], ["mpi", "ompi"], "libopenmpi-dev", "openmpi-devel";
    "mysqlclient", ["mysql.h", "mysql/"], ["mysqlclient", "libmariadb", "mariadb"], "default-libmysqlclient-dev", "mariadb-connector-c-devel";
    "ncurses", ["ncurses.h", "curses.h"], ["ncurses", "ncursesw"], "libncurses-dev", "ncurses-devel";
    "netcdf", ["netcdf.h"], ["netcdf"], "libnetcdf-dev", "netcdf-devel";
    "nftables", ["nftables/"], ["libnftables"], "libnftables-dev", "nftables-devel";
    "openblas", ["cblas.h", "openblas_config.h"], ["openblas", "cblas", "blas"], "libopenblas-dev", "openblas-devel";
    "opengl", ["GL/"], ["gl", "GL"], "libgl-dev", "mesa-libGL-devel";
    "openldap", ["ldap.h", "lber.h"], ["ldap", "lber"], "libldap-dev", "openldap-devel";
    "openssl", ["openssl/"], ["openssl", "libssl", "libcrypto", "ssl", "crypto"], "libssl-dev", "openssl-devel";
    "pango", ["pango/"], ["pango", "pangocairo"], "libpango1.0-dev", "pango-devel";
    "pcre2", ["pcre2.h"], ["libpcre2-8", "pcre2-8"], "libpcre2-dev", "pcre2-devel";
    "portaudio", ["portaudio.h"], ["portaudio-2.0", "portaudio"], "portaudio19-dev", "portaudio-devel";
    "proj", ["proj.h", "proj_api.h"], ["proj"], "libproj-dev", "proj-devel";
    "protobuf", ["google/protobuf/"], ["protobuf"], "libprotobuf-dev", "protobuf-devel";
    "rdkafka", ["librdkafka/"], ["rdkafka"], "librdkafka-dev", "librdkafka-devel";
    "re2", ["re2/"], ["re2"], "libre2-dev", "re2-devel";
    "readline", ["readline/"], ["readline"], "libreadline-dev", "readline-devel";
    "sasl", ["sasl/"], ["libsasl2", "sasl2"], "libsasl2-dev", "cyrus-sasl-devel";
    "sdl2", ["SDL.h", "SDL2/"], ["sdl2", "SDL2"], "libsdl2-dev", "SDL2-devel";
    "snappy", ["snappy.h", "snappy-c.h"], ["snappy"], "libsnappy-dev", "snappy-devel";
    "sqlite", ["sqlite3.h"], ["sqlite3"], "libsqlite3-dev", "sqlite-devel";
    "systemd", ["systemd/"], ["libsystemd", "systemd"], "libsystemd-dev", "systemd-devel";
    "tk", ["tk.h", "tcl.h"], ["tk", "tcl"], "tk-dev", "tk-devel";
    "unixodbc", ["sql.h", "sqlext.h"], ["odbc"], "unixodbc-dev", "unixODBC-devel";
    "util-linux", ["uuid/", "blkid/"], ["uuid", "blkid"], "uuid-dev", "libuuid-devel";
    "x11", ["X11/"], ["x11", "X11"], "libx11-dev", "libX11-devel";
    "xmlsec", ["xmlsec/"], ["xmlsec1", "xmlsec1-openssl"], "libxmlsec1-dev", "xmlsec1-openssl-devel";
    "xxhash", ["xxhash.h"], ["libxxhash", "xxhash"], "libxxhash-dev", "xxhash-devel";
    "xz", ["lzma.h"], ["liblzma", "lzma"], "liblzma-dev", "xz-devel";
    "zeromq", ["zmq.h"], ["libzmq", "zmq"], "libzmq3-dev", "zeromq-devel";
    "zlib", ["zlib.h"], ["zlib", "z"], "zlib1g-dev", "zlib-devel";
    "zstd", ["zstd.h"], ["libzstd", "zstd"], "libzstd-dev", "libzstd-devel";
}

/// The library a header belongs to.
pub fn by_header(header: &str) -> Option<&'static Library> {
    LIBRARIES.iter().find(|library| {
        library
            .headers
            .iter()
            .any(|known| *known == header || known.ends_with('/') && header.starts_with(known))
    })
}

/// The library of a pkg-config module or a `-l` name.
pub fn by_name(name: &str) -> Option<&'static Library> {
    LIBRARIES.iter().find(|library| library.names.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_header_and_no_name_belongs_to_two() {
        for library in LIBRARIES {
            for header in library.headers {
                assert_eq!(by_header(header).unwrap().generic, library.generic, "{header}");
            }
            for name in library.names {
                assert_eq!(by_name(name).unwrap().generic, library.generic, "{name}");
            }
        }
    }
}
