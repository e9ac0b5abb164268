/// Answers `GetBucketAccelerateConfiguration`: there is no acceleration.
package struct AccelerateConfiguration: ResultDocument {
    package init() {}

    package func write(to writer: inout XMLWriter) {
        writer.element("AccelerateConfiguration", namespace: XMLWriter.s3Namespace) { _ in }
    }
}

/// Answers `GetBucketRequestPayment`: nobody else pays.
package struct RequestPaymentConfiguration: ResultDocument {
    package init() {}

    package func write(to writer: inout XMLWriter) {
        writer.element("RequestPaymentConfiguration", namespace: XMLWriter.s3Namespace) {
            $0.element("Payer", "BucketOwner")
        }
    }
}

/// Answers `GetBucketLogging`: nothing is logged to a bucket.
package struct BucketLoggingStatus: ResultDocument {
    package init() {}

    package func write(to writer: inout XMLWriter) {
        writer.element("BucketLoggingStatus", namespace: XMLWriter.s3Namespace) { _ in }
    }
}
