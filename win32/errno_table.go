// SPDX-License-Identifier: Apache-2.0

package win32

// Win32 error numbers (winerror.h) used by the rules of docs/spec.
const (
	ERROR_SUCCESS                            Errno = 0
	ERROR_INVALID_FUNCTION                   Errno = 1
	ERROR_FILE_NOT_FOUND                     Errno = 2
	ERROR_PATH_NOT_FOUND                     Errno = 3
	ERROR_ACCESS_DENIED                      Errno = 5
	ERROR_INVALID_HANDLE                     Errno = 6
	ERROR_NOT_ENOUGH_MEMORY                  Errno = 8
	ERROR_BAD_LENGTH                         Errno = 24
	ERROR_GEN_FAILURE                        Errno = 31
	ERROR_SHARING_VIOLATION                  Errno = 32
	ERROR_NOT_SUPPORTED                      Errno = 50
	ERROR_INVALID_PARAMETER                  Errno = 87
	ERROR_BROKEN_PIPE                        Errno = 109
	ERROR_CALL_NOT_IMPLEMENTED               Errno = 120
	ERROR_SEM_TIMEOUT                        Errno = 121
	ERROR_INSUFFICIENT_BUFFER                Errno = 122
	ERROR_INVALID_NAME                       Errno = 123
	ERROR_PROC_NOT_FOUND                     Errno = 127
	ERROR_BAD_PATHNAME                       Errno = 161
	ERROR_BUSY                               Errno = 170
	ERROR_ALREADY_EXISTS                     Errno = 183
	ERROR_BAD_EXE_FORMAT                     Errno = 193
	ERROR_FILENAME_EXCED_RANGE               Errno = 206
	ERROR_BAD_PIPE                           Errno = 230
	ERROR_PIPE_BUSY                          Errno = 231
	ERROR_NO_DATA                            Errno = 232
	ERROR_PIPE_NOT_CONNECTED                 Errno = 233
	ERROR_MORE_DATA                          Errno = 234
	WAIT_TIMEOUT                             Errno = 258
	ERROR_NOT_OWNER                          Errno = 288
	ERROR_TOO_MANY_POSTS                     Errno = 298
	ERROR_INVALID_ADDRESS                    Errno = 487
	ERROR_PIPE_CONNECTED                     Errno = 535
	ERROR_PIPE_LISTENING                     Errno = 536
	ERROR_OPERATION_ABORTED                  Errno = 995
	ERROR_IO_PENDING                         Errno = 997
	ERROR_NOACCESS                           Errno = 998
	ERROR_NO_TOKEN                           Errno = 1008
	ERROR_DEPENDENT_SERVICES_RUNNING         Errno = 1051
	ERROR_INVALID_SERVICE_CONTROL            Errno = 1052
	ERROR_SERVICE_REQUEST_TIMEOUT            Errno = 1053
	ERROR_SERVICE_NO_THREAD                  Errno = 1054
	ERROR_SERVICE_DATABASE_LOCKED            Errno = 1055
	ERROR_SERVICE_ALREADY_RUNNING            Errno = 1056
	ERROR_INVALID_SERVICE_ACCOUNT            Errno = 1057
	ERROR_SERVICE_DISABLED                   Errno = 1058
	ERROR_CIRCULAR_DEPENDENCY                Errno = 1059
	ERROR_SERVICE_DOES_NOT_EXIST             Errno = 1060
	ERROR_SERVICE_CANNOT_ACCEPT_CTRL         Errno = 1061
	ERROR_SERVICE_NOT_ACTIVE                 Errno = 1062
	ERROR_FAILED_SERVICE_CONTROLLER_CONNECT  Errno = 1063
	ERROR_DATABASE_DOES_NOT_EXIST            Errno = 1065
	ERROR_SERVICE_SPECIFIC_ERROR             Errno = 1066
	ERROR_PROCESS_ABORTED                    Errno = 1067
	ERROR_SERVICE_DEPENDENCY_FAIL            Errno = 1068
	ERROR_SERVICE_LOGON_FAILED               Errno = 1069
	ERROR_SERVICE_MARKED_FOR_DELETE          Errno = 1072
	ERROR_SERVICE_EXISTS                     Errno = 1073
	ERROR_SERVICE_DEPENDENCY_DELETED         Errno = 1075
	ERROR_SERVICE_NEVER_STARTED              Errno = 1077
	ERROR_DUPLICATE_SERVICE_NAME             Errno = 1078
	ERROR_DIFFERENT_SERVICE_ACCOUNT          Errno = 1079
	ERROR_SERVICE_NOT_IN_EXE                 Errno = 1083
	ERROR_NO_UNICODE_TRANSLATION             Errno = 1113
	ERROR_SHUTDOWN_IN_PROGRESS               Errno = 1115
	ERROR_NO_MORE_USER_HANDLES               Errno = 1158
	ERROR_MESSAGE_SYNC_ONLY                  Errno = 1159
	ERROR_NOT_FOUND                          Errno = 1168
	ERROR_CANCELLED                          Errno = 1223
	ERROR_NOT_ALL_ASSIGNED                   Errno = 1300
	ERROR_UNKNOWN_REVISION                   Errno = 1305
	ERROR_INVALID_OWNER                      Errno = 1307
	ERROR_NO_IMPERSONATION_TOKEN             Errno = 1309
	ERROR_CANT_DISABLE_MANDATORY             Errno = 1311
	ERROR_PRIVILEGE_NOT_HELD                 Errno = 1314
	ERROR_USER_EXISTS                        Errno = 1316
	ERROR_NO_SUCH_USER                       Errno = 1317
	ERROR_LOGON_FAILURE                      Errno = 1326
	ERROR_ACCOUNT_RESTRICTION                Errno = 1327
	ERROR_INVALID_LOGON_HOURS                Errno = 1328
	ERROR_PASSWORD_EXPIRED                   Errno = 1330
	ERROR_ACCOUNT_DISABLED                   Errno = 1331
	ERROR_NONE_MAPPED                        Errno = 1332
	ERROR_INVALID_ACL                        Errno = 1336
	ERROR_INVALID_SID                        Errno = 1337
	ERROR_INVALID_SECURITY_DESCR             Errno = 1338
	ERROR_BAD_IMPERSONATION_LEVEL            Errno = 1346
	ERROR_CANT_OPEN_ANONYMOUS                Errno = 1347
	ERROR_BAD_TOKEN_TYPE                     Errno = 1349
	ERROR_GENERIC_NOT_MAPPED                 Errno = 1360
	ERROR_CANNOT_IMPERSONATE                 Errno = 1368
	ERROR_LOGON_TYPE_NOT_GRANTED             Errno = 1385
	ERROR_INVALID_WINDOW_HANDLE              Errno = 1400
	ERROR_INVALID_MENU_HANDLE                Errno = 1401
	ERROR_INVALID_HOOK_HANDLE                Errno = 1404
	ERROR_CANNOT_FIND_WND_CLASS              Errno = 1407
	ERROR_WINDOW_OF_OTHER_THREAD             Errno = 1408
	ERROR_CLASS_ALREADY_EXISTS               Errno = 1410
	ERROR_CLASS_DOES_NOT_EXIST               Errno = 1411
	ERROR_CLASS_HAS_WINDOWS                  Errno = 1412
	ERROR_CLIPBOARD_NOT_OPEN                 Errno = 1418
	ERROR_INVALID_HOOK_FILTER                Errno = 1426
	ERROR_INVALID_FILTER_PROC                Errno = 1427
	ERROR_HOOK_NEEDS_HMOD                    Errno = 1428
	ERROR_GLOBAL_ONLY_HOOK                   Errno = 1429
	ERROR_JOURNAL_HOOK_SET                   Errno = 1430
	ERROR_INVALID_MSGBOX_STYLE               Errno = 1438
	ERROR_INVALID_THREAD_ID                  Errno = 1444
	ERROR_HOOK_TYPE_NOT_ALLOWED              Errno = 1458
	ERROR_REQUIRES_INTERACTIVE_WINDOWSTATION Errno = 1459
	ERROR_TIMEOUT                            Errno = 1460
	RPC_S_INVALID_BINDING                    Errno = 1702
	RPC_S_INVALID_STRING_UUID                Errno = 1705
	RPC_S_SERVER_UNAVAILABLE                 Errno = 1722
	ERROR_INVALID_USER_BUFFER                Errno = 1784
	ERROR_NOT_ENOUGH_QUOTA                   Errno = 1816
	ERROR_ACCOUNT_LOCKED_OUT                 Errno = 1909
	ERROR_CTX_WINSTATION_NOT_FOUND           Errno = 7022
	ERROR_CTX_WINSTATION_ALREADY_EXISTS      Errno = 7024
	ERROR_CTX_WINSTATION_BUSY                Errno = 7025
	ERROR_CTX_CLIENT_QUERY_TIMEOUT           Errno = 7044
	ERROR_CTX_WINSTATION_ACCESS_DENIED       Errno = 7045
	ERROR_CTX_SHADOW_INVALID                 Errno = 7050
	ERROR_CTX_SHADOW_DISABLED                Errno = 7051
)

var errnoName = map[Errno]string{
	ERROR_SUCCESS:                            "ERROR_SUCCESS",
	ERROR_INVALID_FUNCTION:                   "ERROR_INVALID_FUNCTION",
	ERROR_FILE_NOT_FOUND:                     "ERROR_FILE_NOT_FOUND",
	ERROR_PATH_NOT_FOUND:                     "ERROR_PATH_NOT_FOUND",
	ERROR_ACCESS_DENIED:                      "ERROR_ACCESS_DENIED",
	ERROR_INVALID_HANDLE:                     "ERROR_INVALID_HANDLE",
	ERROR_NOT_ENOUGH_MEMORY:                  "ERROR_NOT_ENOUGH_MEMORY",
	ERROR_BAD_LENGTH:                         "ERROR_BAD_LENGTH",
	ERROR_GEN_FAILURE:                        "ERROR_GEN_FAILURE",
	ERROR_SHARING_VIOLATION:                  "ERROR_SHARING_VIOLATION",
	ERROR_NOT_SUPPORTED:                      "ERROR_NOT_SUPPORTED",
	ERROR_INVALID_PARAMETER:                  "ERROR_INVALID_PARAMETER",
	ERROR_BROKEN_PIPE:                        "ERROR_BROKEN_PIPE",
	ERROR_CALL_NOT_IMPLEMENTED:               "ERROR_CALL_NOT_IMPLEMENTED",
	ERROR_SEM_TIMEOUT:                        "ERROR_SEM_TIMEOUT",
	ERROR_INSUFFICIENT_BUFFER:                "ERROR_INSUFFICIENT_BUFFER",
	ERROR_INVALID_NAME:                       "ERROR_INVALID_NAME",
	ERROR_PROC_NOT_FOUND:                     "ERROR_PROC_NOT_FOUND",
	ERROR_BAD_PATHNAME:                       "ERROR_BAD_PATHNAME",
	ERROR_BUSY:                               "ERROR_BUSY",
	ERROR_ALREADY_EXISTS:                     "ERROR_ALREADY_EXISTS",
	ERROR_BAD_EXE_FORMAT:                     "ERROR_BAD_EXE_FORMAT",
	ERROR_FILENAME_EXCED_RANGE:               "ERROR_FILENAME_EXCED_RANGE",
	ERROR_BAD_PIPE:                           "ERROR_BAD_PIPE",
	ERROR_PIPE_BUSY:                          "ERROR_PIPE_BUSY",
	ERROR_NO_DATA:                            "ERROR_NO_DATA",
	ERROR_PIPE_NOT_CONNECTED:                 "ERROR_PIPE_NOT_CONNECTED",
	ERROR_MORE_DATA:                          "ERROR_MORE_DATA",
	WAIT_TIMEOUT:                             "WAIT_TIMEOUT",
	ERROR_NOT_OWNER:                          "ERROR_NOT_OWNER",
	ERROR_TOO_MANY_POSTS:                     "ERROR_TOO_MANY_POSTS",
	ERROR_INVALID_ADDRESS:                    "ERROR_INVALID_ADDRESS",
	ERROR_PIPE_CONNECTED:                     "ERROR_PIPE_CONNECTED",
	ERROR_PIPE_LISTENING:                     "ERROR_PIPE_LISTENING",
	ERROR_OPERATION_ABORTED:                  "ERROR_OPERATION_ABORTED",
	ERROR_IO_PENDING:                         "ERROR_IO_PENDING",
	ERROR_NOACCESS:                           "ERROR_NOACCESS",
	ERROR_NO_TOKEN:                           "ERROR_NO_TOKEN",
	ERROR_DEPENDENT_SERVICES_RUNNING:         "ERROR_DEPENDENT_SERVICES_RUNNING",
	ERROR_INVALID_SERVICE_CONTROL:            "ERROR_INVALID_SERVICE_CONTROL",
	ERROR_SERVICE_REQUEST_TIMEOUT:            "ERROR_SERVICE_REQUEST_TIMEOUT",
	ERROR_SERVICE_NO_THREAD:                  "ERROR_SERVICE_NO_THREAD",
	ERROR_SERVICE_DATABASE_LOCKED:            "ERROR_SERVICE_DATABASE_LOCKED",
	ERROR_SERVICE_ALREADY_RUNNING:            "ERROR_SERVICE_ALREADY_RUNNING",
	ERROR_INVALID_SERVICE_ACCOUNT:            "ERROR_INVALID_SERVICE_ACCOUNT",
	ERROR_SERVICE_DISABLED:                   "ERROR_SERVICE_DISABLED",
	ERROR_CIRCULAR_DEPENDENCY:                "ERROR_CIRCULAR_DEPENDENCY",
	ERROR_SERVICE_DOES_NOT_EXIST:             "ERROR_SERVICE_DOES_NOT_EXIST",
	ERROR_SERVICE_CANNOT_ACCEPT_CTRL:         "ERROR_SERVICE_CANNOT_ACCEPT_CTRL",
	ERROR_SERVICE_NOT_ACTIVE:                 "ERROR_SERVICE_NOT_ACTIVE",
	ERROR_FAILED_SERVICE_CONTROLLER_CONNECT:  "ERROR_FAILED_SERVICE_CONTROLLER_CONNECT",
	ERROR_DATABASE_DOES_NOT_EXIST:            "ERROR_DATABASE_DOES_NOT_EXIST",
	ERROR_SERVICE_SPECIFIC_ERROR:             "ERROR_SERVICE_SPECIFIC_ERROR",
	ERROR_PROCESS_ABORTED:                    "ERROR_PROCESS_ABORTED",
	ERROR_SERVICE_DEPENDENCY_FAIL:            "ERROR_SERVICE_DEPENDENCY_FAIL",
	ERROR_SERVICE_LOGON_FAILED:               "ERROR_SERVICE_LOGON_FAILED",
	ERROR_SERVICE_MARKED_FOR_DELETE:          "ERROR_SERVICE_MARKED_FOR_DELETE",
	ERROR_SERVICE_EXISTS:                     "ERROR_SERVICE_EXISTS",
	ERROR_SERVICE_DEPENDENCY_DELETED:         "ERROR_SERVICE_DEPENDENCY_DELETED",
	ERROR_SERVICE_NEVER_STARTED:              "ERROR_SERVICE_NEVER_STARTED",
	ERROR_DUPLICATE_SERVICE_NAME:             "ERROR_DUPLICATE_SERVICE_NAME",
	ERROR_DIFFERENT_SERVICE_ACCOUNT:          "ERROR_DIFFERENT_SERVICE_ACCOUNT",
	ERROR_SERVICE_NOT_IN_EXE:                 "ERROR_SERVICE_NOT_IN_EXE",
	ERROR_NO_UNICODE_TRANSLATION:             "ERROR_NO_UNICODE_TRANSLATION",
	ERROR_SHUTDOWN_IN_PROGRESS:               "ERROR_SHUTDOWN_IN_PROGRESS",
	ERROR_NO_MORE_USER_HANDLES:               "ERROR_NO_MORE_USER_HANDLES",
	ERROR_MESSAGE_SYNC_ONLY:                  "ERROR_MESSAGE_SYNC_ONLY",
	ERROR_NOT_FOUND:                          "ERROR_NOT_FOUND",
	ERROR_CANCELLED:                          "ERROR_CANCELLED",
	ERROR_NOT_ALL_ASSIGNED:                   "ERROR_NOT_ALL_ASSIGNED",
	ERROR_UNKNOWN_REVISION:                   "ERROR_UNKNOWN_REVISION",
	ERROR_INVALID_OWNER:                      "ERROR_INVALID_OWNER",
	ERROR_NO_IMPERSONATION_TOKEN:             "ERROR_NO_IMPERSONATION_TOKEN",
	ERROR_CANT_DISABLE_MANDATORY:             "ERROR_CANT_DISABLE_MANDATORY",
	ERROR_PRIVILEGE_NOT_HELD:                 "ERROR_PRIVILEGE_NOT_HELD",
	ERROR_USER_EXISTS:                        "ERROR_USER_EXISTS",
	ERROR_NO_SUCH_USER:                       "ERROR_NO_SUCH_USER",
	ERROR_LOGON_FAILURE:                      "ERROR_LOGON_FAILURE",
	ERROR_ACCOUNT_RESTRICTION:                "ERROR_ACCOUNT_RESTRICTION",
	ERROR_INVALID_LOGON_HOURS:                "ERROR_INVALID_LOGON_HOURS",
	ERROR_PASSWORD_EXPIRED:                   "ERROR_PASSWORD_EXPIRED",
	ERROR_ACCOUNT_DISABLED:                   "ERROR_ACCOUNT_DISABLED",
	ERROR_NONE_MAPPED:                        "ERROR_NONE_MAPPED",
	ERROR_INVALID_ACL:                        "ERROR_INVALID_ACL",
	ERROR_INVALID_SID:                        "ERROR_INVALID_SID",
	ERROR_INVALID_SECURITY_DESCR:             "ERROR_INVALID_SECURITY_DESCR",
	ERROR_BAD_IMPERSONATION_LEVEL:            "ERROR_BAD_IMPERSONATION_LEVEL",
	ERROR_CANT_OPEN_ANONYMOUS:                "ERROR_CANT_OPEN_ANONYMOUS",
	ERROR_BAD_TOKEN_TYPE:                     "ERROR_BAD_TOKEN_TYPE",
	ERROR_GENERIC_NOT_MAPPED:                 "ERROR_GENERIC_NOT_MAPPED",
	ERROR_CANNOT_IMPERSONATE:                 "ERROR_CANNOT_IMPERSONATE",
	ERROR_LOGON_TYPE_NOT_GRANTED:             "ERROR_LOGON_TYPE_NOT_GRANTED",
	ERROR_INVALID_WINDOW_HANDLE:              "ERROR_INVALID_WINDOW_HANDLE",
	ERROR_INVALID_MENU_HANDLE:                "ERROR_INVALID_MENU_HANDLE",
	ERROR_INVALID_HOOK_HANDLE:                "ERROR_INVALID_HOOK_HANDLE",
	ERROR_CANNOT_FIND_WND_CLASS:              "ERROR_CANNOT_FIND_WND_CLASS",
	ERROR_WINDOW_OF_OTHER_THREAD:             "ERROR_WINDOW_OF_OTHER_THREAD",
	ERROR_CLASS_ALREADY_EXISTS:               "ERROR_CLASS_ALREADY_EXISTS",
	ERROR_CLASS_DOES_NOT_EXIST:               "ERROR_CLASS_DOES_NOT_EXIST",
	ERROR_CLASS_HAS_WINDOWS:                  "ERROR_CLASS_HAS_WINDOWS",
	ERROR_CLIPBOARD_NOT_OPEN:                 "ERROR_CLIPBOARD_NOT_OPEN",
	ERROR_INVALID_HOOK_FILTER:                "ERROR_INVALID_HOOK_FILTER",
	ERROR_INVALID_FILTER_PROC:                "ERROR_INVALID_FILTER_PROC",
	ERROR_HOOK_NEEDS_HMOD:                    "ERROR_HOOK_NEEDS_HMOD",
	ERROR_GLOBAL_ONLY_HOOK:                   "ERROR_GLOBAL_ONLY_HOOK",
	ERROR_JOURNAL_HOOK_SET:                   "ERROR_JOURNAL_HOOK_SET",
	ERROR_INVALID_MSGBOX_STYLE:               "ERROR_INVALID_MSGBOX_STYLE",
	ERROR_INVALID_THREAD_ID:                  "ERROR_INVALID_THREAD_ID",
	ERROR_HOOK_TYPE_NOT_ALLOWED:              "ERROR_HOOK_TYPE_NOT_ALLOWED",
	ERROR_REQUIRES_INTERACTIVE_WINDOWSTATION: "ERROR_REQUIRES_INTERACTIVE_WINDOWSTATION",
	ERROR_TIMEOUT:                            "ERROR_TIMEOUT",
	RPC_S_INVALID_BINDING:                    "RPC_S_INVALID_BINDING",
	RPC_S_INVALID_STRING_UUID:                "RPC_S_INVALID_STRING_UUID",
	RPC_S_SERVER_UNAVAILABLE:                 "RPC_S_SERVER_UNAVAILABLE",
	ERROR_INVALID_USER_BUFFER:                "ERROR_INVALID_USER_BUFFER",
	ERROR_NOT_ENOUGH_QUOTA:                   "ERROR_NOT_ENOUGH_QUOTA",
	ERROR_ACCOUNT_LOCKED_OUT:                 "ERROR_ACCOUNT_LOCKED_OUT",
	ERROR_CTX_WINSTATION_NOT_FOUND:           "ERROR_CTX_WINSTATION_NOT_FOUND",
	ERROR_CTX_WINSTATION_ALREADY_EXISTS:      "ERROR_CTX_WINSTATION_ALREADY_EXISTS",
	ERROR_CTX_WINSTATION_BUSY:                "ERROR_CTX_WINSTATION_BUSY",
	ERROR_CTX_CLIENT_QUERY_TIMEOUT:           "ERROR_CTX_CLIENT_QUERY_TIMEOUT",
	ERROR_CTX_WINSTATION_ACCESS_DENIED:       "ERROR_CTX_WINSTATION_ACCESS_DENIED",
	ERROR_CTX_SHADOW_INVALID:                 "ERROR_CTX_SHADOW_INVALID",
	ERROR_CTX_SHADOW_DISABLED:                "ERROR_CTX_SHADOW_DISABLED",
}

// errnoText holds the system message texts.
var errnoText = map[Errno]string{
	ERROR_SUCCESS:                            "The operation completed successfully.",
	ERROR_INVALID_FUNCTION:                   "Incorrect function.",
	ERROR_FILE_NOT_FOUND:                     "The system cannot find the file specified.",
	ERROR_PATH_NOT_FOUND:                     "The system cannot find the path specified.",
	ERROR_ACCESS_DENIED:                      "Access is denied.",
	ERROR_INVALID_HANDLE:                     "The handle is invalid.",
	ERROR_NOT_ENOUGH_MEMORY:                  "Not enough memory resources are available to process this command.",
	ERROR_BAD_LENGTH:                         "The program issued a command but the command length is incorrect.",
	ERROR_GEN_FAILURE:                        "A device attached to the system is not functioning.",
	ERROR_SHARING_VIOLATION:                  "The process cannot access the file because it is being used by another process.",
	ERROR_NOT_SUPPORTED:                      "The request is not supported.",
	ERROR_INVALID_PARAMETER:                  "The parameter is incorrect.",
	ERROR_BROKEN_PIPE:                        "The pipe has been ended.",
	ERROR_CALL_NOT_IMPLEMENTED:               "This function is not supported on this system.",
	ERROR_SEM_TIMEOUT:                        "The semaphore timeout period has expired.",
	ERROR_INSUFFICIENT_BUFFER:                "The data area passed to a system call is too small.",
	ERROR_INVALID_NAME:                       "The filename, directory name, or volume label syntax is incorrect.",
	ERROR_PROC_NOT_FOUND:                     "The specified procedure could not be found.",
	ERROR_BAD_PATHNAME:                       "The specified path is invalid.",
	ERROR_BUSY:                               "The requested resource is in use.",
	ERROR_ALREADY_EXISTS:                     "Cannot create a file when that file already exists.",
	ERROR_BAD_EXE_FORMAT:                     "The program is not a valid application for this system.",
	ERROR_FILENAME_EXCED_RANGE:               "The filename or extension is too long.",
	ERROR_BAD_PIPE:                           "The pipe state is invalid.",
	ERROR_PIPE_BUSY:                          "All pipe instances are busy.",
	ERROR_NO_DATA:                            "The pipe is being closed.",
	ERROR_PIPE_NOT_CONNECTED:                 "No process is on the other end of the pipe.",
	ERROR_MORE_DATA:                          "More data is available.",
	WAIT_TIMEOUT:                             "The wait operation timed out.",
	ERROR_NOT_OWNER:                          "Attempt to release mutex not owned by caller.",
	ERROR_TOO_MANY_POSTS:                     "Too many posts were made to a semaphore.",
	ERROR_INVALID_ADDRESS:                    "Attempt to access invalid address.",
	ERROR_PIPE_CONNECTED:                     "There is a process on other end of the pipe.",
	ERROR_PIPE_LISTENING:                     "Waiting for a process to open the other end of the pipe.",
	ERROR_OPERATION_ABORTED:                  "The I/O operation has been aborted because of either a thread exit or an application request.",
	ERROR_IO_PENDING:                         "Overlapped I/O operation is in progress.",
	ERROR_NOACCESS:                           "Invalid access to memory location.",
	ERROR_NO_TOKEN:                           "An attempt was made to reference a token that does not exist.",
	ERROR_DEPENDENT_SERVICES_RUNNING:         "A stop control has been sent to a service that other running services are dependent on.",
	ERROR_INVALID_SERVICE_CONTROL:            "The requested control is not valid for this service.",
	ERROR_SERVICE_REQUEST_TIMEOUT:            "The service did not respond to the start or control request in a timely fashion.",
	ERROR_SERVICE_NO_THREAD:                  "A thread could not be created for the service.",
	ERROR_SERVICE_DATABASE_LOCKED:            "The service database is locked.",
	ERROR_SERVICE_ALREADY_RUNNING:            "An instance of the service is already running.",
	ERROR_INVALID_SERVICE_ACCOUNT:            "The account name is invalid or does not exist, or the password is invalid for the account name specified.",
	ERROR_SERVICE_DISABLED:                   "The service cannot be started, either because it is disabled or because it has no enabled devices associated with it.",
	ERROR_CIRCULAR_DEPENDENCY:                "Circular service dependency was specified.",
	ERROR_SERVICE_DOES_NOT_EXIST:             "The specified service does not exist as an installed service.",
	ERROR_SERVICE_CANNOT_ACCEPT_CTRL:         "The service cannot accept control messages at this time.",
	ERROR_SERVICE_NOT_ACTIVE:                 "The service has not been started.",
	ERROR_FAILED_SERVICE_CONTROLLER_CONNECT:  "The service process could not connect to the service controller.",
	ERROR_DATABASE_DOES_NOT_EXIST:            "The database specified does not exist.",
	ERROR_SERVICE_SPECIFIC_ERROR:             "The service has returned a service-specific error code.",
	ERROR_PROCESS_ABORTED:                    "The process terminated unexpectedly.",
	ERROR_SERVICE_DEPENDENCY_FAIL:            "The dependency service or group failed to start.",
	ERROR_SERVICE_LOGON_FAILED:               "The service did not start due to a logon failure.",
	ERROR_SERVICE_MARKED_FOR_DELETE:          "The specified service has been marked for deletion.",
	ERROR_SERVICE_EXISTS:                     "The specified service already exists.",
	ERROR_SERVICE_DEPENDENCY_DELETED:         "The dependency service does not exist or has been marked for deletion.",
	ERROR_SERVICE_NEVER_STARTED:              "No attempts to start the service have been made since the last boot.",
	ERROR_DUPLICATE_SERVICE_NAME:             "The name is already in use as either a service name or a service display name.",
	ERROR_DIFFERENT_SERVICE_ACCOUNT:          "The account specified for this service is different from the account specified for other services running in the same process.",
	ERROR_SERVICE_NOT_IN_EXE:                 "The executable program that this service is configured to run in does not implement the service.",
	ERROR_NO_UNICODE_TRANSLATION:             "No mapping for the Unicode character exists in the target multi-byte code page.",
	ERROR_SHUTDOWN_IN_PROGRESS:               "A system shutdown is in progress.",
	ERROR_NO_MORE_USER_HANDLES:               "The current process has used all of its system allowance of handles for Window Manager objects.",
	ERROR_MESSAGE_SYNC_ONLY:                  "The message can be used only with synchronous operations.",
	ERROR_NOT_FOUND:                          "Element not found.",
	ERROR_CANCELLED:                          "The operation was canceled by the user.",
	ERROR_NOT_ALL_ASSIGNED:                   "Not all privileges or groups referenced are assigned to the caller.",
	ERROR_UNKNOWN_REVISION:                   "The revision level is unknown.",
	ERROR_INVALID_OWNER:                      "This security ID may not be assigned as the owner of this object.",
	ERROR_NO_IMPERSONATION_TOKEN:             "An attempt has been made to operate on an impersonation token by a thread that is not currently impersonating a client.",
	ERROR_CANT_DISABLE_MANDATORY:             "The group may not be disabled.",
	ERROR_PRIVILEGE_NOT_HELD:                 "A required privilege is not held by the client.",
	ERROR_USER_EXISTS:                        "The specified account already exists.",
	ERROR_NO_SUCH_USER:                       "The specified account does not exist.",
	ERROR_LOGON_FAILURE:                      "The user name or password is incorrect.",
	ERROR_ACCOUNT_RESTRICTION:                "Account restrictions are preventing this user from signing in.",
	ERROR_INVALID_LOGON_HOURS:                "Your account has time restrictions that keep you from signing in right now.",
	ERROR_PASSWORD_EXPIRED:                   "The password for this account has expired.",
	ERROR_ACCOUNT_DISABLED:                   "This user can't sign in because this account is currently disabled.",
	ERROR_NONE_MAPPED:                        "No mapping between account names and security IDs was done.",
	ERROR_INVALID_ACL:                        "The access control list (ACL) structure is invalid.",
	ERROR_INVALID_SID:                        "The security ID structure is invalid.",
	ERROR_INVALID_SECURITY_DESCR:             "The security descriptor structure is invalid.",
	ERROR_BAD_IMPERSONATION_LEVEL:            "Either a required impersonation level was not provided, or the provided impersonation level is invalid.",
	ERROR_CANT_OPEN_ANONYMOUS:                "Cannot open an anonymous level security token.",
	ERROR_BAD_TOKEN_TYPE:                     "The type of the token is inappropriate for its attempted use.",
	ERROR_GENERIC_NOT_MAPPED:                 "Generic access types were contained in an access mask which should already be mapped to nongeneric types.",
	ERROR_CANNOT_IMPERSONATE:                 "Unable to impersonate using a named pipe until data has been read from that pipe.",
	ERROR_LOGON_TYPE_NOT_GRANTED:             "Logon failure: the user has not been granted the requested logon type at this computer.",
	ERROR_INVALID_WINDOW_HANDLE:              "Invalid window handle.",
	ERROR_INVALID_MENU_HANDLE:                "Invalid menu handle.",
	ERROR_INVALID_HOOK_HANDLE:                "Invalid hook handle.",
	ERROR_CANNOT_FIND_WND_CLASS:              "Cannot find window class.",
	ERROR_WINDOW_OF_OTHER_THREAD:             "Invalid window; it belongs to other thread.",
	ERROR_CLASS_ALREADY_EXISTS:               "Class already exists.",
	ERROR_CLASS_DOES_NOT_EXIST:               "Class does not exist.",
	ERROR_CLASS_HAS_WINDOWS:                  "Class still has open windows.",
	ERROR_CLIPBOARD_NOT_OPEN:                 "Thread does not have a clipboard open.",
	ERROR_INVALID_HOOK_FILTER:                "Invalid hook procedure type.",
	ERROR_INVALID_FILTER_PROC:                "Invalid hook procedure.",
	ERROR_HOOK_NEEDS_HMOD:                    "Cannot set nonlocal hook without a module handle.",
	ERROR_GLOBAL_ONLY_HOOK:                   "This hook procedure can only be set globally.",
	ERROR_JOURNAL_HOOK_SET:                   "The journal hook procedure is already installed.",
	ERROR_INVALID_MSGBOX_STYLE:               "Invalid message box style.",
	ERROR_INVALID_THREAD_ID:                  "Invalid thread identifier.",
	ERROR_HOOK_TYPE_NOT_ALLOWED:              "Hook type not allowed.",
	ERROR_REQUIRES_INTERACTIVE_WINDOWSTATION: "This operation requires an interactive window station.",
	ERROR_TIMEOUT:                            "This operation returned because the timeout period expired.",
	RPC_S_INVALID_BINDING:                    "The binding handle is invalid.",
	RPC_S_INVALID_STRING_UUID:                "The string universal unique identifier (UUID) is invalid.",
	RPC_S_SERVER_UNAVAILABLE:                 "The RPC server is unavailable.",
	ERROR_INVALID_USER_BUFFER:                "The supplied user buffer is not valid for the requested operation.",
	ERROR_NOT_ENOUGH_QUOTA:                   "Not enough quota is available to process this command.",
	ERROR_ACCOUNT_LOCKED_OUT:                 "The referenced account is currently locked out and may not be logged on to.",
	ERROR_CTX_WINSTATION_NOT_FOUND:           "The specified session cannot be found.",
	ERROR_CTX_WINSTATION_ALREADY_EXISTS:      "The requested session name already exists.",
	ERROR_CTX_WINSTATION_BUSY:                "The requested operation cannot be completed because the session is currently busy.",
	ERROR_CTX_CLIENT_QUERY_TIMEOUT:           "The request to connect the client timed out or was declined.",
	ERROR_CTX_WINSTATION_ACCESS_DENIED:       "The requested session access is denied.",
	ERROR_CTX_SHADOW_INVALID:                 "The requested session cannot be controlled remotely.",
	ERROR_CTX_SHADOW_DISABLED:                "The requested session is not configured to allow remote control.",
}
