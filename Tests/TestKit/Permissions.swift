import Glibc
package import SystemPackage

/// Who may do what with a file (the last nine bits of its mode); `nil` where there is none.
///
/// Here, as `stat` is another module's for tests that also import what is built on Foundation.
package func permissions(of path: FilePath) -> UInt32? {
    var status = stat()
    return path.withPlatformString { stat($0, &status) } == 0 ? status.st_mode & 0o777 : nil
}
