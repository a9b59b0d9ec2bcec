// The bodies of the service, made from its OpenAPI document: `portcullis openapi | npm run types`.

export interface components {
    schemas: {
        /** @description A signed access token. */
        AccessToken: {
            /**
             * Format: u-int64
             * @description Seconds until it expires.
             */
            expires_in: number;
            /** @description The JWT; omitted in cookie mode. */
            token?: string;
            /**
             * @description Always `Bearer`.
             * @example Bearer
             */
            type: string;
        };
        Account: {
            created_at: components["schemas"]["Instant"];
            email: string;
            first_name: string;
            /** Format: u-int64 */
            id: number;
            is_active: boolean;
            last_name: string;
            locale?: components["schemas"]["Language"] | null;
            role: components["schemas"]["Role"];
        };
        /** @description What is to be changed; what is left out stays as it is. */
        AccountChange: {
            /**
             * @description Shown only to the user.
             * @example Ada
             */
            first_name?: string | null;
            /**
             * @description Shown only to the user.
             * @example Lovelace
             */
            last_name?: string | null;
            locale?: components["schemas"]["Language"] | null;
        };
        /** @description Body of `/forgot-password`. */
        AddressToReset: {
            /**
             * Format: idn-email
             * @description The account's e-mail address.
             * @example ada@example.com
             */
            email: string;
        };
        /** @description Body of `/resend-verification`. */
        AddressToVerify: {
            /**
             * Format: idn-email
             * @description The account's e-mail address.
             * @example ada@example.com
             */
            email: string;
        };
        AuditEvent: {
            at: components["schemas"]["Instant"];
            detail: Record<string, never>;
            event: string;
            /** Format: u-int64 */
            id: number;
            ip_address?: string | null;
            request_id?: string | null;
            session_id?: string | null;
            user_agent?: string | null;
            /** Format: u-int64 */
            user_id?: number | null;
        };
        /** @description One page of the audit trail, newest first. */
        AuditPage: {
            events: components["schemas"]["AuditEvent"][];
            /**
             * Format: u-int64
             * @description Pass this as `after` to get the next page; null on the last page.
             */
            next?: number | null;
        };
        BlacklistEntry: {
            blacklisted_at: components["schemas"]["Instant"];
            /** @description Start of the token's digest: enough to recognise the token, too little to misuse it. */
            digest_prefix: string;
            /** Format: u-int64 */
            id: number;
            reason: string;
            session_id?: string | null;
            token_expiry: components["schemas"]["Instant"];
            token_type: string;
        };
        /** @description One page of revoked tokens, newest first. */
        BlacklistPage: {
            entries: components["schemas"]["BlacklistEntry"][];
            /**
             * Format: u-int64
             * @description Pass this as `after` to get the next page; null on the last page.
             */
            next?: number | null;
        };
        /** @description Counts of revoked tokens. */
        BlacklistStats: {
            /** Format: int64 */
            active: number;
            by_reason: {
                [key: string]: number;
            };
            by_type: {
                [key: string]: number;
            };
            /** @description `INFO portcullis`; empty while Redis is unavailable. */
            ledger: {
                [key: string]: string;
            };
            /** Format: int64 */
            total: number;
        };
        /** @description A device as its owner would recognise it. */
        Device: {
            /**
             * @description The browser's family; of anything else the name it gives itself.
             * @example Firefox
             */
            browser: string;
            /**
             * @description `Desktop`, `Mobile`, `Tablet`, `TV`, `Console`, `Bot` or `Unknown`.
             * @example Desktop
             */
            device: string;
            /**
             * @description 64 hex digits that stay the same as long as browser, system, kind of device and the id sent by
             *     the client do.
             */
            fingerprint: string;
            /**
             * @description The operating system's family.
             * @example Linux
             */
            os: string;
        };
        DeviceInfo: components["schemas"]["Device"] & {
            ip: string;
        };
        /** @description Body of `/confirm-email`. */
        EmailConfirmation: {
            /** @description The token from either mail. */
            token: string;
        };
        /** @description Body of `/verify-email`. */
        EmailProof: {
            password?: components["schemas"]["Password"] | null;
            /** @description The token from the mail. */
            token: string;
        };
        /** @description Counts of what was ended. */
        Ended: {
            /**
             * Format: u-int64
             * @description Sessions that were ended.
             */
            sessions_revoked: number;
            /**
             * Format: u-int64
             * @description Refresh tokens that were ended with them.
             */
            tokens_revoked: number;
        };
        /** @description Counts of what was ended, as far as it had been marked when this was answered. */
        EveryoneEnded: {
            /** Format: u-int64 */
            sessions_revoked: number;
            /** Format: u-int64 */
            users: number;
        };
        /**
         * @description Everything that is kept about the caller. Not in it: the password's hash, tokens and their digests,
         *     which would let whoever reads it in, and the addresses of administrators, which are theirs.
         */
        Export: {
            account: components["schemas"]["ExportedAccount"];
            /** @description What the audit trail says about the caller, and what the caller did to others. */
            audit_events: components["schemas"]["ExportedEvent"][];
            /** @description Links that were mailed to verify the address or to reset the password. */
            mailed_tokens: components["schemas"]["ExportedMailedToken"][];
            /** @description Mails that wait or were sent lately. */
            mails: components["schemas"]["ExportedMail"][];
            refresh_tokens: components["schemas"]["ExportedRefreshToken"][];
            /** @description Tokens that were revoked. */
            revocations: components["schemas"]["ExportedRevocation"][];
            /** @description Sessions, those that have ended included, until they are cleaned up. */
            sessions: components["schemas"]["ExportedSession"][];
        };
        ExportedAccount: {
            created_at: components["schemas"]["Instant"];
            email: string;
            email_verified_at?: components["schemas"]["Instant"] | null;
            first_name: string;
            /** Format: u-int64 */
            id: number;
            is_active: boolean;
            last_name: string;
            /** @description The language of mails. */
            locale?: string | null;
            /** @description The address that is to take the place of `email`, once both have confirmed it. */
            new_email?: string | null;
            role: components["schemas"]["Role"];
            tokens_valid_after?: components["schemas"]["Instant"] | null;
            updated_at: components["schemas"]["Instant"];
        };
        ExportedEvent: {
            at: components["schemas"]["Instant"];
            detail: Record<string, never>;
            event: string;
            /** Format: u-int64 */
            id: number;
            ip_address?: string | null;
            request_id?: string | null;
            session_id?: string | null;
            user_agent?: string | null;
            /**
             * Format: u-int64
             * @description Whom it concerns: the caller, or whoever an administrator acted on.
             */
            user_id?: number | null;
        };
        ExportedMail: {
            created_at: components["schemas"]["Instant"];
            /** Format: u-int64 */
            id: number;
            kind: string;
            outcome?: string | null;
            recipient: string;
            /** @description Device and address that it tells of, until it is sent. */
            scene?: Record<string, never> | null;
            settled_at?: components["schemas"]["Instant"] | null;
        };
        ExportedMailedToken: {
            created_at: components["schemas"]["Instant"];
            expires_at: components["schemas"]["Instant"];
            /** Format: u-int64 */
            id: number;
            purpose: string;
            used_at?: components["schemas"]["Instant"] | null;
        };
        ExportedRefreshToken: {
            created_at: components["schemas"]["Instant"];
            device_info: Record<string, never>;
            expires_at: components["schemas"]["Instant"];
            /**
             * Format: u-int32
             * @description How often it was exchanged for the next, which took its place.
             */
            generation: number;
            /** Format: u-int64 */
            id: number;
            ip_address: string;
            last_used_at?: components["schemas"]["Instant"] | null;
            revoked_at?: components["schemas"]["Instant"] | null;
            session_id: string;
            spent_at?: components["schemas"]["Instant"] | null;
            user_agent: string;
        };
        ExportedRevocation: {
            blacklisted_at: components["schemas"]["Instant"];
            device_info?: Record<string, never> | null;
            /** Format: u-int64 */
            id: number;
            ip_address?: string | null;
            reason: string;
            session_id?: string | null;
            token_expiry: components["schemas"]["Instant"];
            token_type: string;
        };
        ExportedSession: {
            authenticated_at: components["schemas"]["Instant"];
            created_at: components["schemas"]["Instant"];
            device_info: Record<string, never>;
            ended_at?: components["schemas"]["Instant"] | null;
            ended_reason?: string | null;
            expires_at: components["schemas"]["Instant"];
            id: string;
            /**
             * Format: u-int32
             * @description 0: no limit.
             */
            idle_timeout_s: number;
            ip_address: string;
            is_active: boolean;
            last_activity: components["schemas"]["Instant"];
            /** @description Of the last request; null: none since the login. */
            last_ip_address?: string | null;
            user_agent: string;
        };
        Health: {
            services: components["schemas"]["Services"];
            /**
             * @description `healthy` or `unhealthy`.
             * @example healthy
             */
            status: string;
            timestamp: components["schemas"]["Instant"];
        };
        /**
         * Format: date-time
         * @description An instant in UTC, with milliseconds.
         * @example 2026-01-31T13:00:00.000Z
         */
        Instant: string;
        /** @description What a service learns about a token (RFC 7662 §2.2). For a dead token only `active`. */
        Introspection: {
            /** @description Whether the token is live. */
            active: boolean;
            /** @description The audience. */
            aud?: string;
            /**
             * Format: u-int64
             * @description When the user last entered the password, in seconds since the epoch.
             */
            auth_time?: number;
            /**
             * Format: u-int64
             * @description When it expires, in seconds since the epoch.
             */
            exp?: number;
            /**
             * Format: u-int64
             * @description When it was issued, in seconds since the epoch.
             */
            iat?: number;
            /** @description The issuer. */
            iss?: string;
            /** @description The token's id. */
            jti?: string;
            /** @description The user's role. */
            role?: components["schemas"]["Role"];
            /** @description The id of the session. */
            sid?: components["schemas"]["SessionId"];
            /** @description The user's id. */
            sub?: string;
            /** @description `Bearer` or `refresh_token`. */
            token_type?: string;
        };
        /** @description The public half of a key (RFC 7517 §4). */
        Jwk: {
            /** @description `ES256` or `EdDSA`. */
            alg: string;
            /** @description `P-256` or `Ed25519`. */
            crv: string;
            /** @description The `kid` in the header of the tokens it signed. */
            kid: string;
            /** @description `EC` or `OKP`. */
            kty: string;
            /** @description Always `sig`. */
            use: string;
            /** @description The public key, or its x coordinate, in base64url. */
            x: string;
            /** @description The y coordinate in base64url, for `EC` only. */
            y?: string;
        };
        /** @description A key set (RFC 7517 §5). */
        JwkSet: {
            /** @description The signing key first. */
            keys: components["schemas"]["Jwk"][];
        };
        /**
         * @description A language of pages and mails.
         * @enum {string}
         */
        Language: "en" | "de";
        /** @description A successful login. */
        LoggedIn: {
            session: components["schemas"]["NewSession"];
            tokens: components["schemas"]["TokenPair"];
            user: components["schemas"]["LoggedInUser"];
        };
        LoggedInUser: {
            email: string;
            first_name: string;
            /** Format: u-int64 */
            id: number;
            is_active: boolean;
            last_name: string;
        };
        /** @description Answer of `/logout`. */
        LoggedOut: components["schemas"]["Success"] & {
            /** @description Only with `logout_all`. */
            data?: components["schemas"]["Ended"];
        };
        /** @description Body of `/login` and `/login-enhanced`. */
        LoginRequest: {
            /**
             * @description The account's e-mail address.
             * @example ada@example.com
             */
            email: string;
            /** @default bearer */
            mode: components["schemas"]["Mode"] | null;
            /** @description The account's password. */
            password: components["schemas"]["Password"];
        };
        /** @description Logins of one hour. */
        Logins: {
            /** @description When the hour began. */
            at: components["schemas"]["Instant"];
            /** Format: int64 */
            failed: number;
            /** Format: int64 */
            succeeded: number;
        };
        /** @description Body of `/logout-all-devices`; it may be empty. */
        LogoutAllRequest: {
            /** @description As in `/logout`. */
            refresh_token?: string | null;
        };
        /** @description Body of `/logout`; an empty body ends the current session. */
        LogoutRequest: {
            /** @description End all of the caller's sessions. */
            logout_all?: boolean | null;
            /**
             * @description A refresh token of the session, spent or not, for callers without a live access token. Beside
             *     one it must be of the same session.
             */
            refresh_token?: string | null;
            session_id?: components["schemas"]["SessionId"] | null;
        };
        /** @description Answer of `/me`. */
        Me: {
            /**
             * @description How the user showed who they are (RFC 8176).
             * @example [
             *       "pwd"
             *     ]
             */
            amr: string[];
            /**
             * Format: u-int64
             * @description When they last did, in seconds since 1970: the claim of the access token.
             */
            auth_time: number;
            /** @description Only in cookie mode: what calls that change something must send as `X-CSRF-Token`. */
            csrf_token?: string;
            /** @description When the access token expires. */
            expires_at: components["schemas"]["Instant"];
            user: components["schemas"]["Account"];
        };
        /**
         * @description What can be said of a part in public. Whoever watches the service may compare with these words.
         * @enum {string}
         */
        Message: "connected" | "unreachable" | "not migrated" | "gone back" | "module missing" | "not confirmed";
        /** @description What this service offers (RFC 8414 §2). */
        Metadata: {
            /** @description None: there is no token endpoint. */
            grant_types_supported: string[];
            /** @description Where tokens are introspected (RFC 7662). */
            introspection_endpoint: string;
            /** @description How services authenticate there. */
            introspection_endpoint_auth_methods_supported: string[];
            /** @description `JWT_ISSUER`, which access tokens name as `iss`. */
            issuer: string;
            /** @description Where the public keys are. */
            jwks_uri: string;
            /** @description None: people log in here, no client does so for them. */
            response_types_supported: string[];
            /** @description Where tokens are revoked (RFC 7009). */
            revocation_endpoint: string;
            /** @description How services authenticate there. */
            revocation_endpoint_auth_methods_supported: string[];
        };
        /**
         * @description How the client receives its tokens.
         * @enum {string}
         */
        Mode: "bearer" | "cookie";
        /** @description Body of `/change-email`. */
        NewAddress: {
            /**
             * Format: idn-email
             * @description The address that is to take the place of the present one.
             * @example ada@example.org
             */
            email: string;
        };
        /** @description Body of `/admin/users/{id}/role`. */
        NewRole: {
            role: components["schemas"]["Role"];
        };
        NewSession: {
            device_info: components["schemas"]["DeviceInfo"];
            id: components["schemas"]["SessionId"];
            ip_address: string;
            last_activity: components["schemas"]["Instant"];
        };
        /** @description The older answer, plus that of `/login-enhanced`. */
        OldBody: components["schemas"]["Success_LoggedIn"] & {
            /** @description The access token again; omitted in cookie mode. */
            token?: string;
        };
        /** @description What a confirmation has come to. */
        Outcome: {
            /** @description Whether the address is changed now; otherwise the other one has yet to be confirmed. */
            changed: boolean;
        };
        /** @description The service at a glance. A number is null if there is too much to count in the time of an answer. */
        Overview: {
            /**
             * Format: int64
             * @description Users with the role `admin` who are not disabled.
             */
            administrators?: number | null;
            /** Format: int64 */
            disabled?: number | null;
            /**
             * Format: int64
             * @description Sessions that `/admin/logout-everyone` would end.
             */
            live_sessions?: number | null;
            /** @description Logins of the last 24 hours, by the hour, oldest first. */
            logins: components["schemas"]["Logins"][];
            /** Format: int64 */
            mails_waiting?: number | null;
            /**
             * Format: int64
             * @description Changes that Redis has not confirmed yet.
             */
            outbox_waiting?: number | null;
            /** Format: int64 */
            users?: number | null;
            /** Format: int64 */
            users_with_sessions?: number | null;
        };
        /**
         * Format: password
         * @description A password, exactly as typed.
         * @example correct horse battery staple
         */
        Password: string;
        /** @description Body of `/change-password`. */
        PasswordChange: {
            /** @description The current password. */
            current_password: components["schemas"]["Password"];
            /** @description 15 (`PASSWORD_MIN_LENGTH`) to 128 characters; common passwords and the current one are refused. */
            new_password: components["schemas"]["Password"];
        };
        /** @description Body of `/reset-password`. */
        PasswordReset: {
            /** @description 15 (`PASSWORD_MIN_LENGTH`) to 128 characters; common passwords are refused. */
            new_password: components["schemas"]["Password"];
            /** @description The token from the mail. */
            token: string;
        };
        /**
         * @description Problem details (RFC 9457), with `status_text` and `message` for clients that expect the older
         *     envelope.
         */
        Problem: {
            /** @description Stable, machine-readable error code. */
            code: string;
            /** @description With `csrf_failed`, for our own pages: what to send as `X-CSRF-Token`. */
            csrf_token?: string;
            detail: string;
            /** @description With `ended_reason`: when it ended. */
            ended_at?: components["schemas"]["Instant"];
            /**
             * @description With `invalid_grant` at `/refresh`, if the session is over: what ended it.
             * @example password_change
             */
            ended_reason?: string;
            /**
             * @description Only from `/introspect` and `/revoke`: the error as RFC 6749 §5.2 names it.
             * @example invalid_client
             */
            error?: string;
            errors?: components["schemas"]["Violation"][];
            message: string;
            /** Format: u-int16 */
            status: number;
            status_text: string;
            title: string;
            /** @example about:blank */
            type: string;
        };
        /**
         * @description Whether Redis has confirmed a change.
         * @enum {string}
         */
        Propagation: "confirmed" | "pending";
        /** @description Body of `/refresh`. */
        RefreshRequest: {
            /** @description Omitted in cookie mode. */
            refresh_token?: string | null;
            session_id?: components["schemas"]["SessionId"] | null;
        };
        /** @description A refresh token. */
        RefreshToken: {
            /**
             * Format: u-int64
             * @description Seconds until its session ends; a refresh does not extend it.
             */
            expires_in: number;
            /** @description The token; omitted in cookie mode. */
            token?: string;
        };
        /** @description Body of `/revoke-refresh-token`. */
        RefreshTokenToRevoke: {
            /** @description The refresh token, spent or not. */
            refresh_token: string;
        };
        /** @description Body of `/register`. */
        Registration: {
            /**
             * Format: idn-email
             * @description The address to log in with.
             * @example ada@example.com
             */
            email: string;
            /**
             * @description Shown only to the user.
             * @example Ada
             */
            first_name: string;
            /**
             * @description Shown only to the user.
             * @example Lovelace
             */
            last_name: string;
            /** @description 15 (`PASSWORD_MIN_LENGTH`) to 128 characters; common passwords are refused. */
            password: components["schemas"]["Password"];
        };
        /**
         * @description What a user may do.
         * @enum {string}
         */
        Role: "user" | "admin";
        SeenDevice: {
            browser: string;
            device: string;
            ip: string;
            os: string;
        };
        Service: {
            healthy: boolean;
            message: components["schemas"]["Message"];
        };
        Services: {
            auth: components["schemas"]["Service"];
            database: components["schemas"]["Service"];
            redis: components["schemas"]["Service"];
        };
        /** @description One session as its owner sees it. */
        Session: {
            created_at: components["schemas"]["Instant"];
            device_info: components["schemas"]["SeenDevice"];
            /** @description When it ends, however much it is used. */
            expires_at: components["schemas"]["Instant"];
            id: components["schemas"]["SessionId"];
            idle_expires_at?: components["schemas"]["Instant"] | null;
            /** @description From where it began. */
            ip_address: string;
            is_current: boolean;
            last_activity: components["schemas"]["Instant"];
            /** @description From where it was last used. */
            last_ip_address: string;
        };
        /**
         * @description `session_` followed by 256 random bits, or the id of an imported session.
         * @example session_3q2-7wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
         */
        SessionId: string;
        /** @description The caller's sessions. */
        Sessions: {
            /** @description Only in cookie mode: what calls that change something must send as `X-CSRF-Token`. */
            csrf_token?: string;
            current_session?: components["schemas"]["Session"] | null;
            other_sessions: components["schemas"]["Session"][];
        };
        /** @description A successful answer. */
        Success: {
            /** @description What happened, in plain words. */
            message?: string;
            /** @description `pending`: the change has been made, and takes effect everywhere once Redis is back. */
            propagation?: components["schemas"]["Propagation"];
            /**
             * @description Always `success`.
             * @example success
             */
            status: string;
        };
        /** @description A successful answer. */
        Success_AuditPage: {
            data: components["schemas"]["AuditPage"];
            /** @description What happened, in plain words. */
            message?: string;
            /** @description `pending`: the change has been made, and takes effect everywhere once Redis is back. */
            propagation?: components["schemas"]["Propagation"];
            /**
             * @description Always `success`.
             * @example success
             */
            status: string;
        };
        /** @description A successful answer. */
        Success_BlacklistPage: {
            data: components["schemas"]["BlacklistPage"];
            /** @description What happened, in plain words. */
            message?: string;
            /** @description `pending`: the change has been made, and takes effect everywhere once Redis is back. */
            propagation?: components["schemas"]["Propagation"];
            /**
             * @description Always `success`.
             * @example success
             */
            status: string;
        };
        /** @description A successful answer. */
        Success_BlacklistStats: {
            data: components["schemas"]["BlacklistStats"];
            /** @description What happened, in plain words. */
            message?: string;
            /** @description `pending`: the change has been made, and takes effect everywhere once Redis is back. */
            propagation?: components["schemas"]["Propagation"];
            /**
             * @description Always `success`.
             * @example success
             */
            status: string;
        };
        /** @description A successful answer. */
        Success_Ended: {
            data: components["schemas"]["Ended"];
            /** @description What happened, in plain words. */
            message?: string;
            /** @description `pending`: the change has been made, and takes effect everywhere once Redis is back. */
            propagation?: components["schemas"]["Propagation"];
            /**
             * @description Always `success`.
             * @example success
             */
            status: string;
        };
        /** @description A successful answer. */
        Success_EveryoneEnded: {
            data: components["schemas"]["EveryoneEnded"];
            /** @description What happened, in plain words. */
            message?: string;
            /** @description `pending`: the change has been made, and takes effect everywhere once Redis is back. */
            propagation?: components["schemas"]["Propagation"];
            /**
             * @description Always `success`.
             * @example success
             */
            status: string;
        };
        /** @description A successful answer. */
        Success_Export: {
            data: components["schemas"]["Export"];
            /** @description What happened, in plain words. */
            message?: string;
            /** @description `pending`: the change has been made, and takes effect everywhere once Redis is back. */
            propagation?: components["schemas"]["Propagation"];
            /**
             * @description Always `success`.
             * @example success
             */
            status: string;
        };
        /** @description A successful answer. */
        Success_LoggedIn: {
            data: components["schemas"]["LoggedIn"];
            /** @description What happened, in plain words. */
            message?: string;
            /** @description `pending`: the change has been made, and takes effect everywhere once Redis is back. */
            propagation?: components["schemas"]["Propagation"];
            /**
             * @description Always `success`.
             * @example success
             */
            status: string;
        };
        /** @description A successful answer. */
        Success_Me: {
            data: components["schemas"]["Me"];
            /** @description What happened, in plain words. */
            message?: string;
            /** @description `pending`: the change has been made, and takes effect everywhere once Redis is back. */
            propagation?: components["schemas"]["Propagation"];
            /**
             * @description Always `success`.
             * @example success
             */
            status: string;
        };
        /** @description A successful answer. */
        Success_Outcome: {
            data: components["schemas"]["Outcome"];
            /** @description What happened, in plain words. */
            message?: string;
            /** @description `pending`: the change has been made, and takes effect everywhere once Redis is back. */
            propagation?: components["schemas"]["Propagation"];
            /**
             * @description Always `success`.
             * @example success
             */
            status: string;
        };
        /** @description A successful answer. */
        Success_Overview: {
            data: components["schemas"]["Overview"];
            /** @description What happened, in plain words. */
            message?: string;
            /** @description `pending`: the change has been made, and takes effect everywhere once Redis is back. */
            propagation?: components["schemas"]["Propagation"];
            /**
             * @description Always `success`.
             * @example success
             */
            status: string;
        };
        /** @description A successful answer. */
        Success_Sessions: {
            data: components["schemas"]["Sessions"];
            /** @description What happened, in plain words. */
            message?: string;
            /** @description `pending`: the change has been made, and takes effect everywhere once Redis is back. */
            propagation?: components["schemas"]["Propagation"];
            /**
             * @description Always `success`.
             * @example success
             */
            status: string;
        };
        /** @description A successful answer. */
        Success_TheirSessions: {
            data: components["schemas"]["TheirSessions"];
            /** @description What happened, in plain words. */
            message?: string;
            /** @description `pending`: the change has been made, and takes effect everywhere once Redis is back. */
            propagation?: components["schemas"]["Propagation"];
            /**
             * @description Always `success`.
             * @example success
             */
            status: string;
        };
        /** @description A successful answer. */
        Success_TokenPair: {
            data: components["schemas"]["TokenPair"];
            /** @description What happened, in plain words. */
            message?: string;
            /** @description `pending`: the change has been made, and takes effect everywhere once Redis is back. */
            propagation?: components["schemas"]["Propagation"];
            /**
             * @description Always `success`.
             * @example success
             */
            status: string;
        };
        /** @description A successful answer. */
        Success_TokenStats: {
            data: components["schemas"]["TokenStats"];
            /** @description What happened, in plain words. */
            message?: string;
            /** @description `pending`: the change has been made, and takes effect everywhere once Redis is back. */
            propagation?: components["schemas"]["Propagation"];
            /**
             * @description Always `success`.
             * @example success
             */
            status: string;
        };
        /** @description A successful answer. */
        Success_UserPage: {
            data: components["schemas"]["UserPage"];
            /** @description What happened, in plain words. */
            message?: string;
            /** @description `pending`: the change has been made, and takes effect everywhere once Redis is back. */
            propagation?: components["schemas"]["Propagation"];
            /**
             * @description Always `success`.
             * @example success
             */
            status: string;
        };
        /** @description A user's live sessions. */
        TheirSessions: {
            sessions: components["schemas"]["Session"][];
        };
        /** @description Body of `/introspect` and `/revoke`. An empty field counts as left out. */
        TokenForm: {
            /** @description The service's name, if it does not use the `Authorization` header (`client_secret_post`). */
            client_id?: string | null;
            /** @description Its secret. */
            client_secret?: string | null;
            /** @description An access token or a refresh token. */
            token: string;
            /**
             * @description What kind of token it is thought to be. `/introspect` tells about a refresh token only if this
             *     is `refresh_token`; otherwise it is not needed, the two kinds look different.
             */
            token_type_hint?: string | null;
        };
        /** @description An access token and the refresh token that will replace it. */
        TokenPair: {
            /** @description Sent with every request. */
            access: components["schemas"]["AccessToken"];
            /** @description Only in cookie mode: what calls that change something must send as `X-CSRF-Token`. */
            csrf_token?: string;
            /** @description Valid for one refresh. */
            refresh: components["schemas"]["RefreshToken"];
        };
        /** @description Counts of the caller's sessions and tokens. */
        TokenStats: {
            /** Format: int64 */
            blacklisted: number;
            /** Format: int64 */
            refresh_tokens_active: number;
            /** Format: int64 */
            refresh_tokens_issued: number;
            /** Format: int64 */
            refresh_tokens_spent: number;
            /** Format: int64 */
            sessions_active: number;
        };
        User: {
            created_at: components["schemas"]["Instant"];
            email: string;
            email_verified_at?: components["schemas"]["Instant"] | null;
            first_name: string;
            /** Format: u-int64 */
            id: number;
            is_active: boolean;
            last_name: string;
            role: components["schemas"]["Role"];
        };
        /** @description One page of users, by id. */
        UserPage: {
            /**
             * Format: u-int64
             * @description Pass this as `after` to get the next page; null on the last page.
             */
            next?: number | null;
            users: components["schemas"]["User"][];
        };
        /** @description One unacceptable value, and where it is in the body. */
        Violation: {
            /**
             * @description Stable name of the rule, in snake case.
             * @example not_an_email
             */
            code: string;
            /** @description The rule, in plain words. */
            detail: string;
            /**
             * @description JSON pointer as a URI fragment.
             * @example #/email
             */
            pointer: string;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
