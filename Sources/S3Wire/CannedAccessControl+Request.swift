/// What requests say about access control lists.
extension CannedAccessControl {
    private static let grantPrefix = "x-amz-grant-"
    private static let permissions: [String: Permission] = [
        "read": .read, "write": .write, "read-acp": .readList, "write-acp": .writeList, "full-control": .all,
    ]

    /// The list that the headers of a request ask for; `nil` where they ask for none.
    ///
    /// - Parameter owner: the identifier of the owner, who may be named in grants and has everything anyway.
    /// - Throws: `S3Error` with `invalidArgument` for a name that is not known, `invalidRequest` for a name and
    ///   grants at once, `notImplemented` for grants that no canned list has.
    package init?(headersOf request: ReceivedRequest, owner: String) throws(S3Error) {
        let name = request.header("x-amz-acl")
        var grants: Set<Grant> = []
        var hasGrants = false
        for (header, value) in request.headers where header.hasPrefix(Self.grantPrefix) {
            guard let permission = Self.permissions[String(header.dropFirst(Self.grantPrefix.utf8.count))] else {
                throw S3Error(.invalidArgument, "The header \(header) is not known.")
            }
            hasGrants = true
            try Self.read(value, permission, owner: owner, into: &grants)
        }
        switch (name, hasGrants) {
        case (nil, false): return nil
        case (_?, true):
            throw S3Error(.invalidRequest, "Specifying both Canned ACLs and Header Grants is not allowed")
        case (let name?, false):
            guard let list = CannedAccessControl(name: name) else {
                throw S3Error(
                    .invalidArgument, details: [("ArgumentName", "x-amz-acl"), ("ArgumentValue", name)])
            }
            self = list
        case (nil, true): self = try Self.canned(grants)
        }
    }

    /// Reads `uri="…", id="…"`.
    private static func read(
        _ value: String,
        _ permission: Permission,
        owner: String,
        into grants: inout Set<Grant>
    ) throws(S3Error) {
        for part in value.split(separator: ",") {
            let trimmed = part.drop { $0 == " " }
            let type = trimmed.prefix { $0 != "=" }
            var text = trimmed.dropFirst(type.count + 1)
            while text.last == " " { text.removeLast() }
            if text.first == "\"", text.last == "\"", text.utf8.count >= 2 { text = text.dropFirst().dropLast() }
            switch type.lowercased() {
            case "uri":
                guard let group = Group(rawValue: String(text)) else { throw notCanned }
                grants.insert(Grant(group, permission))
            case "id": guard text == owner else { throw notCanned }
            case "emailaddress": throw notCanned
            default: throw S3Error(.invalidArgument, "Argument format not recognized")
            }
        }
    }

    /// Reads the body of a request that sets a list.
    ///
    /// - Parameter owner: the identifier of the owner.
    /// - Throws: `S3Error` with `malformedXML`, `malformedACL`, and `notImplemented` for a list that is no canned one.
    package init(parsing bytes: [UInt8], owner: String) throws(S3Error) {
        let root = try XMLElement.parse(bytes, maximumElements: 2000)
        guard root.name == "AccessControlPolicy", let list = root["AccessControlList"] else {
            throw S3Error(.malformedACL)
        }
        var grants: Set<Grant> = []
        var ownerHasAll = false
        for grant in list.all("Grant") {
            guard let grantee = grant["Grantee"],
                let permission = (grant["Permission"]?.text).flatMap(Permission.init(rawValue:))
            else { throw S3Error(.malformedACL) }
            if let uri = grantee["URI"]?.text {
                guard let group = Group(rawValue: uri) else { throw Self.notCanned }
                grants.insert(Grant(group, permission))
            } else if let id = grantee["ID"]?.text {
                guard id == owner else { throw Self.notCanned }
                if permission == .all { ownerHasAll = true }
            } else {
                throw grantee["EmailAddress"] == nil ? S3Error(.malformedACL) : Self.notCanned
            }
        }
        guard ownerHasAll else { throw Self.notCanned }
        self = try Self.canned(grants)
    }

    private static func canned(_ grants: Set<Grant>) throws(S3Error) -> CannedAccessControl {
        guard let list = CannedAccessControl(grants: grants) else { throw notCanned }
        return list
    }

    private static var notCanned: S3Error {
        S3Error(
            .notImplemented,
            "Access control lists other than the canned ones private, public-read, public-read-write and "
                + "authenticated-read are not implemented; use a bucket policy."
        )
    }
}

/// Answers `GetBucketAcl` and `GetObjectAcl`.
package struct AccessControlPolicy: ResultDocument {
    package let owner: OwnerElement
    package let list: CannedAccessControl

    package init(owner: OwnerElement, list: CannedAccessControl) { (self.owner, self.list) = (owner, list) }

    package func write(to writer: inout XMLWriter) {
        writer.element("AccessControlPolicy", namespace: XMLWriter.s3Namespace) { writer in
            owner.write(to: &writer)
            writer.element("AccessControlList") { writer in
                writer.element("Grant") { writer in
                    writer.element("Grantee", attributes: Self.type("CanonicalUser")) {
                        $0.element("ID", owner.id)
                        $0.element("DisplayName", owner.displayName)
                    }
                    writer.element("Permission", CannedAccessControl.Permission.all.rawValue)
                }
                for grant in list.grants {
                    writer.element("Grant") { writer in
                        writer.element("Grantee", attributes: Self.type("Group")) {
                            $0.element("URI", grant.group.rawValue)
                        }
                        writer.element("Permission", grant.permission.rawValue)
                    }
                }
            }
        }
    }

    private static func type(_ name: StaticString) -> [(StaticString, StaticString)] {
        [("xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance"), ("xsi:type", name)]
    }
}
