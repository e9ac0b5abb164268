package import Model

/// A bucket that was deleted, for whoever has not yet read the last of its events.
package struct BucketDeparture: Sendable, Hashable {
    package let bucket: BucketName
    /// The number of the last event of any bucket before it went: later ones of this name are another bucket's.
    package let lastEvent: Int64
    /// Who was to be told of its events (`BucketSetting.notification`); `nil` for nobody.
    package let notification: String?
}
