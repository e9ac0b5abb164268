import Identity
import Settings

extension ServeSettings {
    /// What the operator gave of the administrator's credentials.
    var givenCredentials: GivenCredentials {
        GivenCredentials(
            username: username, password: password, s3AccessKey: s3AccessKey, s3SecretKey: s3SecretKey
        )
    }
}
