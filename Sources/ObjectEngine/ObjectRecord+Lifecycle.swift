import Model
package import S3Wire

extension ObjectRecord {
    /// What the rules of a lifecycle look at.
    package var lifecycleSubject: LifecycleConfiguration.Subject {
        LifecycleConfiguration.Subject(key: key.text, size: size.bytes, tags: attributes.tags)
    }
}
