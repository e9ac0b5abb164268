import JWTKit

/// A key for tests, of 2048 bits.
let rsaPEM = """
    -----BEGIN PRIVATE KEY-----
    MIIEvwIBADANBgkqhkiG9w0BAQEFAASCBKkwggSlAgEAAoIBAQDEtFz8RQNYFWag
    PXdD56NXMYWSjCRglVLkoBU24r6uKcktRxTnpkMg3DZcGxsjQOsTai4Qo6P8QnzY
    NSTlu0bdWyA6vhc7dbp/v49oEJA8BqVaIkbPt3jEZBl23HT7LVu5qLlVZyzDXqdp
    2PyEf3VVnswvVgXlYKgVzuJXqanB5ziJVlqY7/OzI6jMphpYRG9rOP7r/EnINiqp
    eY2Ldby3AfQDFKLC8hGn2BWSFZGt7H3K8wRKglJ+R0WWGi5jRQsFuhFg5eR9C8oS
    YMJNDcI82norzz1OEhA6Nrg1CTmeoCygd+adBbrEIGJ7Sb19Nb5lz3aTA7XJ/uAh
    LB0V3XclAgMBAAECggEAEqTkzl1tNnda0ZPZ3tQRCZXuSuhhF013/KcGs7vUpnXb
    9WBwJQ+/e5kbxumjzhjcXyv4f0e/ZozXv/dzjpnMWvVE7gRv98kOGwcpXMv7G9Fm
    cU9f5lbFydmSB0/Yf6k6MTQCkwtzNPZfCFuSfa2GDc4+HLt61hWuANkp33S7nB73
    QKHvQyrsZ5cmfCf3+4rpNfxTwhkIBigA+11T+k3VsN1drk96SffSvQvhRIIo3kzW
    mg9prEVu4JUuPkFVAWGt/+YRWEqJiuntowVJGC7sScvjbZEZjIiBs3TCq3IsecX8
    PWZL4oQGsyIlSy4F5SfIItR5ToISGpmKW4JP/x9BuQKBgQD+IoZE83xAxGfE6FAj
    GAhz51lS2g9/IzHVKb/m8MPFLAHZzX1T3CBg0lhgMxSr8BNdBdZfS+0X96emx9jK
    FMMIk4MWrDnRx1YPjo2klUpnqe3+5NwucAQL49rhcBYaZn+Q+dIzBTlpsnKPDoqR
    ptqdL2KfBA/ZJt8o5PYHI/gqWQKBgQDGJe/k+G92H5QWHfPQLmdzb8f8VXr/51Yn
    t7MAY9QvAaNCegm61rNUVqnTIYSTVuQ6evMs55+TuqQpLaibfcfrsZtPjALHt0RP
    eoYy9CYJombnS9T6i1bsCLInGqLn1QtkuulxVNo/cbr/BjKdJzzrYoSIjioPxkhC
    klkdqiKBrQKBgQDBGXCWkcAW4mXKu46wq8E4eFBp4OEnhJGH29pB2y2V8zNQ0I/r
    GXbMuueF6SpK3veHljjmXiXAMWCFHJMAMbhkGtnfb2vblzAwT+wWY42OqRL6u+EF
    s/2PH0ogQ++3jaxed0SdmdmfE4VyZ+UoePThvLCeDRMRuDSWuSqsEEuvuQKBgQCM
    JKjXOR8cXJlQSz72LtvcOWMohQzJkcTNso9X50NbO71MdyQKkW+kZucV/M7Xps0k
    z3DOgcPLqGYS+cgWsY+Ek8lVKaGNv4EA9ZeU0jlU9xfw3yFzUrnXlw7puV0euv+j
    7s7M6UazOK0ZUjjaDbZ4hOVX77SwE31oGDoPURW2wQKBgQDC4NORRLnazx0t4sNJ
    gi7TzTgjYYLZh++1ZA+CWtPY7phfpMYivowzl0iNs3O1guBmTjCNepnCwJbUYi/Y
    hvd7AsIEquq7DB9+qcMtBZRNOkD3zBVHHWCWd7boGx17A5eRIrqaJaiklXKnvwhV
    lObp4y0v78scYHcq5lL3uqjAvQ==
    -----END PRIVATE KEY-----
    """

/// How a key signs, as JWTKit makes it for one way of signing.
func rsaSigner(_ algorithm: String, _ key: Insecure.RSA.PrivateKey) async throws -> any JWTAlgorithm {
    let digest: DigestAlgorithm =
        algorithm.hasSuffix("256") ? .sha256 : algorithm.hasSuffix("384") ? .sha384 : .sha512
    let keys = JWTKeyCollection()
    if algorithm.hasPrefix("PS") {
        await keys.add(pss: key, digestAlgorithm: digest)
    } else {
        await keys.add(rsa: key, digestAlgorithm: digest)
    }
    return try await keys.getKey()
}
