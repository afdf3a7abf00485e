// SPDX-License-Identifier: Apache-2.0

package security

// Descriptors of things the system makes itself.
var (
	// DefaultServiceDescriptor protects a service that was created without a
	// descriptor of its own: users may ask and send user-defined controls, not
	// start or stop. Rules: SE-62.
	DefaultServiceDescriptor = MustSDDL("O:SYG:SY" +
		"D:(A;;CCLCSWRPWPDTLOCRRC;;;SY)(A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;BA)(A;;CCLCSWLOCRRC;;;IU)(A;;CCLCSWLOCRRC;;;SU)" +
		"S:(AU;FA;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;WD)")

	// DefaultScmDescriptor protects the service manager. Rules: SE-61.
	DefaultScmDescriptor = MustSDDL("O:SYG:SY" +
		"D:(A;;CC;;;AU)(A;;CCLCRPRC;;;IU)(A;;CCLCRPRC;;;SU)(A;;CCLCRPWPRC;;;SY)(A;;KA;;;BA)" +
		"S:(AU;FA;KA;;;WD)")
)
